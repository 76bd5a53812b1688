/** The playground holds a conversation: it sends, streams, stops, asks again, and keeps what was said. */
import { afterEach, expect, test } from 'vitest'
import { WORDS } from '../server/fake-engine.ts'
import { describeChromium } from './chromium.ts'
import { ENDLESS } from './client-server.ts'
import {
  answered,
  closePlaygrounds,
  lastAnswer,
  lastCall,
  openPlayground,
  say,
} from './playground-page.ts'

const ANSWER = WORDS.join('')

afterEach(closePlaygrounds)

describeChromium('the playground', (open) => {
  test('shows an answer as it comes, and then how fast it came', async () => {
    const { page, engine } = await openPlayground(open, { engine: { rate: 20 } })
    await say(page, 'Tell me\na *story*.')
    const answer = page.locator('.message.assistant .body')
    await answer.getByText('Once upon').waitFor()
    expect(await answer.textContent()).not.toContain('lamp')
    await answered(page)
    expect(await lastAnswer(page)).toBe(ANSWER)
    expect(await page.locator('.message.user .body').textContent()).toBe('Tell me\na *story*.')
    const stats = await page.locator('.message.assistant .stats').textContent()
    expect(stats).toMatch(/^\d+\.\d tokens\/sfirst token \d\.\d\d s10 tokensprompt \d+, 3 cached$/)
    expect(lastCall(engine).messages).toEqual([{ role: 'user', content: 'Tell me\na *story*.' }])
  })

  test('sends what was said before, too', async () => {
    const { page, engine } = await openPlayground(open)
    await page.getByLabel('System prompt').fill('Be brief.')
    await say(page, 'one')
    await answered(page)
    await say(page, 'two')
    await answered(page)
    expect(lastCall(engine).messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'one' },
      { role: 'assistant', content: ANSWER },
      { role: 'user', content: 'two' },
    ])
  })

  test('stops an answer, in the engine too, and keeps what came', async () => {
    const { page, engine } = await openPlayground(open, { engine: ENDLESS })
    await say(page, 'go on')
    await page.getByText('aaaaaaaaaa').waitFor()
    await page.getByRole('button', { name: 'Stop' }).click()
    await answered(page)
    expect(await page.locator('.message.assistant .stats').textContent()).toContain('stopped')
    expect(await lastAnswer(page)).toMatch(/^a{10,}$/)
    await expect.poll(() => engine.aborted).toBe(1)
  })

  test('Escape stops it as well', async () => {
    const { page, engine } = await openPlayground(open, { engine: ENDLESS })
    await say(page, 'go on')
    await page.getByText('aaaaaaaaaa').waitFor()
    await page.keyboard.press('Escape')
    await answered(page)
    await expect.poll(() => engine.aborted).toBe(1)
  })

  test('regenerates the last answer in its place', async () => {
    const { page, engine } = await openPlayground(open)
    await say(page, 'one')
    await answered(page)
    await page.getByRole('button', { name: 'Regenerate' }).click()
    await expect.poll(() => engine.calls.length).toBe(2)
    await answered(page)
    expect(await page.locator('.message').count()).toBe(2)
    expect(lastCall(engine).messages).toEqual([{ role: 'user', content: 'one' }])
  })

  test('a message that is edited is sent again, without what followed', async () => {
    const { page, engine } = await openPlayground(open)
    for (const text of ['one', 'two']) {
      await say(page, text)
      await answered(page)
    }
    await page.getByRole('button', { name: 'Edit' }).first().click()
    const area = page.getByLabel(/^Your message/)
    expect(await area.inputValue()).toBe('one')
    await area.fill('uno')
    await page.locator('.editing').getByRole('button', { name: 'Send' }).click()
    await expect.poll(() => engine.calls.length).toBe(3)
    await answered(page)
    expect(await page.locator('.message').count()).toBe(2)
    expect(lastCall(engine).messages).toEqual([{ role: 'user', content: 'uno' }])
  })

  test('copies an answer as it was written', async () => {
    const words = ['**bold**', ' and `code`']
    const context = { permissions: ['clipboard-read', 'clipboard-write'] }
    const { page } = await openPlayground(open, { engine: { words }, context })
    await say(page, 'x')
    await answered(page)
    await page.locator('.message.assistant').getByRole('button', { name: 'Copy' }).click()
    await page.getByRole('button', { name: 'Copied' }).waitFor()
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe('**bold** and `code`')
  })

  test('keeps conversations over a reload, opens and removes them', async () => {
    const { page } = await openPlayground(open)
    const list = page.locator('#conversations')
    for (const text of ['first', 'second']) {
      await page.getByRole('button', { name: 'New', exact: true }).click()
      await say(page, text)
      await answered(page)
    }
    await page.reload()
    expect(await list.locator('.open').allInnerTexts()).toEqual(['second', 'first'])
    expect(await page.locator('.message.user .body').textContent()).toBe('second')
    await list.getByRole('button', { name: 'first', exact: true }).click()
    expect(await page.locator('.message.user .body').textContent()).toBe('first')
    expect(await lastAnswer(page)).toBe(ANSWER)
    await list.getByRole('button', { name: 'Remove second' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click()
    await expect.poll(() => list.locator('.open').allInnerTexts()).toEqual(['first'])
    await page.getByRole('button', { name: 'Remove all' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Remove all' }).click()
    await page.getByText('None yet').waitFor()
    const kept = await page.evaluate<string[]>('Object.keys(localStorage)')
    expect(kept.filter((name) => name.includes('conversation'))).toEqual([])
  })

  test('an answer goes on while another conversation is looked at', async () => {
    const { page } = await openPlayground(open, { engine: { rate: 10 } })
    await say(page, 'slow')
    await page.getByText('Once').waitFor()
    await page.getByRole('button', { name: 'New', exact: true }).click()
    expect(await page.locator('.message').count()).toBe(0)
    await page.locator('#conversations').getByRole('button', { name: 'slow', exact: true }).click()
    await answered(page)
    expect(await lastAnswer(page)).toBe(ANSWER)
  })

  test('removing a conversation stops its answer', async () => {
    const { page, engine } = await openPlayground(open, { engine: ENDLESS })
    await say(page, 'endless')
    await page.getByText('aaaaa').waitFor()
    await page.getByRole('button', { name: 'New', exact: true }).click()
    await page.getByRole('button', { name: 'Remove endless' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click()
    await answered(page)
    await expect.poll(() => engine.aborted).toBe(1)
    await page.getByText('None yet').waitFor()
  })

  test('what another tab says and removes shows here', async () => {
    const { page, server } = await openPlayground(open)
    const other = await page.context().newPage()
    await other.goto(server.url)
    await say(other, 'elsewhere')
    await answered(other)
    const there = page.locator('#conversations').getByRole('button', { name: 'elsewhere' })
    await there.first().waitFor()
    await other.getByRole('button', { name: 'Remove elsewhere' }).click()
    await other.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click()
    await page.getByText('None yet').waitFor()
  })

  test('says so when the browser keeps no more', async () => {
    const { page } = await openPlayground(open)
    await page.evaluate(`(() => {
      let text = 'x'.repeat(1024 * 1024)
      for (let at = 0; text !== ''; at++) {
        try { localStorage.setItem('filler' + at, text) } catch { text = text.slice(text.length / 2 + 1) }
      }
    })()`)
    await say(page, 'x')
    await page.getByRole('alert').getByText('The browser keeps no more').waitFor()
    await answered(page)
    expect(await lastAnswer(page)).toBe(ANSWER)
  })

  test('follows an answer to its end, unless the reader goes up', async () => {
    const words = Array.from({ length: 400 }, (_, line) => `line ${line}\n\n`)
    const { page } = await openPlayground(open, { engine: { words, rate: 300 } })
    await say(page, 'much')
    await page.locator('.body').getByText('line 399').waitFor()
    const latest = page.getByRole('button', { name: 'To the latest' })
    expect(await latest.isVisible()).toBe(false)
    const isAtEnd = `(({ scrollTop, clientHeight, scrollHeight }) =>
      scrollHeight - scrollTop - clientHeight < 60)(document.getElementById('scroll'))`
    await expect.poll(() => page.evaluate(isAtEnd)).toBe(true)
    await page.evaluate(`document.getElementById('scroll').scrollTop = 0`)
    await latest.click()
    await expect.poll(() => page.evaluate(isAtEnd)).toBe(true)
  })
})
