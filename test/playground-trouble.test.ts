/** Whatever goes wrong, the playground says what it is and what can be done, and goes on once it is mended. */
import { afterEach, expect, test } from 'vitest'
import { EngineError } from '../engine/errors.ts'
import { FakeEngine, WORDS } from '../server/fake-engine.ts'
import { describeChromium } from './chromium.ts'
import { ENDLESS, refuseFirstChat } from './client-server.ts'
import { answered, closePlaygrounds, lastAnswer, openPlayground, say } from './playground-page.ts'

const ANSWER = WORDS.join('')

afterEach(closePlaygrounds)

describeChromium('the playground', (open) => {
  test('asks for the key where one is needed, and keeps it for the tab', async () => {
    const { page, secret, asked } = await openPlayground(open, { key: {} })
    const dialog = page.getByRole('dialog', { name: 'API key' })
    await dialog.getByText('This server needs an API key').waitFor()
    await dialog.getByLabel('Key', { exact: true }).fill(secret)
    await dialog.getByRole('button', { name: 'Use' }).click()
    await expect.poll(() => page.getByLabel('Model', { exact: true }).inputValue()).not.toBe('')
    await say(page, 'hello')
    await answered(page)
    expect(await lastAnswer(page)).toBe(ANSWER)
    const kept = (area: string) => page.evaluate<string>(`JSON.stringify(${area})`)
    expect(await kept('sessionStorage')).toContain(secret)
    expect(await kept('localStorage')).not.toContain(secret)
    await page.reload()
    await expect.poll(() => page.getByLabel('Model', { exact: true }).inputValue()).not.toBe('')
    expect(asked.filter((url) => url.includes(secret))).toEqual([])
  })

  test('remembers the key when asked to, and forgets it', async () => {
    const { page, secret } = await openPlayground(open, { key: {} })
    const dialog = page.getByRole('dialog', { name: 'API key' })
    await dialog.getByLabel('Key', { exact: true }).fill(secret)
    await dialog.getByLabel(/^Remember/).check()
    await dialog.getByRole('button', { name: 'Use' }).click()
    const kept = () => page.evaluate<string>('JSON.stringify(localStorage)')
    expect(await kept()).toContain(secret)
    await page.getByRole('button', { name: 'Key set' }).click()
    await dialog.getByRole('button', { name: 'Forget it' }).click()
    expect(await kept()).not.toContain(secret)
    // The next question is met with a request for a key, and no more than that.
    await dialog.getByText('This server needs an API key').waitFor()
  })

  test('a key that is no good is said to be so; with a good one the question is asked', async () => {
    const { page, secret, engine } = await openPlayground(open, { key: {} })
    const dialog = page.getByRole('dialog', { name: 'API key' })
    const key = dialog.getByLabel('Key', { exact: true })
    await key.fill('schlüssel')
    await page.keyboard.press('Enter')
    await dialog.getByText('letters, digits and signs only').waitFor()
    await key.fill('sk-wrong')
    await page.keyboard.press('Enter')
    await dialog.getByText('The API key is not valid.').waitFor()
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    await say(page, 'kept')
    await key.fill(secret)
    await page.keyboard.press('Enter')
    await answered(page)
    await expect.poll(() => lastAnswer(page)).toBe(ANSWER)
    expect(engine.calls.length).toBe(1)
  })

  test('a key without the scope can be changed for another', async () => {
    const { page, secret } = await openPlayground(open, { key: { scopes: ['admin'] } })
    await page.getByRole('dialog').getByLabel('Key', { exact: true }).fill(secret)
    await page.keyboard.press('Enter')
    await say(page, 'x')
    await page.getByRole('alert').getByText("the scope 'generate'").waitFor()
    await page.getByRole('button', { name: 'Use another key' }).click()
    await page.getByRole('dialog', { name: 'API key' }).waitFor()
  })

  test('counts down to when a limit lets the question through', async () => {
    const limits = { requestsPerMinute: 1, tokensPerHour: null }
    const { page, secret } = await openPlayground(open, { key: { limits } })
    await page.getByRole('dialog').getByLabel('Key', { exact: true }).fill(secret)
    await page.keyboard.press('Enter')
    await say(page, 'one')
    await answered(page)
    await say(page, 'two')
    const again = page.getByRole('button', { name: /^Try again in \d+ s$/ })
    await again.waitFor()
    expect(await again.isDisabled()).toBe(true)
    expect(Number(/\d+/.exec((await again.textContent()) ?? '')?.[0])).toBeGreaterThan(50)
    expect(await page.locator('.message').count()).toBe(3)
    expect(await page.getByRole('alert').locator('button').count()).toBe(0)
  })

  test('asks again once an overloaded server has room', async () => {
    const { page, engine } = await openPlayground(open)
    const chats = refuseFirstChat(engine)
    await say(page, 'one')
    await page.getByRole('alert').getByText('The queue is full.').waitFor()
    await page.getByRole('button', { name: 'Try again', exact: true }).click()
    await answered(page)
    await expect.poll(() => lastAnswer(page)).toBe(ANSWER)
    expect(chats()).toBe(2)
  })

  test('tells how far the model is while it loads, and answers when it is there', async () => {
    let finish = () => {}
    const loaded = new Promise<void>((resolve) => {
      finish = resolve
    })
    const { page } = await openPlayground(open, {
      serve: {
        load: async ({ onProgress }) => {
          onProgress({ phase: 'weights', done: 30, total: 120 })
          await loaded
          return new FakeEngine()
        },
      },
    })
    await page.getByText('weights, 25 %').waitFor()
    await page.getByRole('progressbar').waitFor()
    await say(page, 'patient')
    finish()
    await answered(page)
    await expect.poll(() => lastAnswer(page)).toBe(ANSWER)
    await expect.poll(() => page.getByRole('progressbar').count()).toBe(0)
  })

  test('an answer that fails half-way stays, with the reason', async () => {
    const error = new EngineError('gpu', 'secret path')
    const { page } = await openPlayground(open, { engine: { failAfter: { tokens: 2, error } } })
    await say(page, 'x')
    const alert = page.getByRole('alert').getByText(/^The GPU failed .* \(request req_\w+\)$/)
    await alert.waitFor()
    expect(await lastAnswer(page)).toBe('Once upon')
    expect(await page.locator('.message.assistant .stats').textContent()).toContain('failed')
  })

  test('a prompt that is too long is refused in the server’s words', async () => {
    const { page } = await openPlayground(open, { engine: { contextLength: 20 } })
    await say(page, 'x'.repeat(40))
    await page.getByRole('alert').getByText('the context holds 20').waitFor()
    expect(await page.locator('.message').count()).toBe(1)
  })

  test('a server that is gone is said to be, in the midst of an answer and before one', async () => {
    const { page, server } = await openPlayground(open, {
      engine: ENDLESS,
      serve: { drainSeconds: 0 },
    })
    await say(page, 'x')
    await page.getByText('aaaaa').waitFor()
    await server.close()
    await page
      .getByRole('alert')
      .getByText(/connection was lost|shutting down/)
      .waitFor()
    await answered(page)
    expect(await lastAnswer(page)).toContain('aaaaa')
    await say(page, 'y')
    await page.getByRole('alert').getByText('The server does not answer.').waitFor()
    await page.getByRole('button', { name: 'Try again' }).waitFor()
  })
})
