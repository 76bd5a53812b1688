/** What is set in the playground is what is sent, nothing more; tokens show how likely they were. */
import { afterEach, expect, test } from 'vitest'
import { openApiDocument } from '../server/contract/openapi.ts'
import { describeChromium } from './chromium.ts'
import { answered, closePlaygrounds, lastCall, openPlayground, say } from './playground-page.ts'

interface Field {
  name: string
  min: number
  max: number
  whole?: boolean
}
interface Schema {
  type: string | string[]
  minimum: number
  maximum: number
}

afterEach(closePlaygrounds)

test('the controls have the ranges of the API', async () => {
  const file = new URL('../server/playground/page/sampling-fields.js', import.meta.url).href
  const { FIELDS, MOST_STOPS } = (await import(file)) as { FIELDS: Field[]; MOST_STOPS: number }
  const { components } = openApiDocument('0.0.0') as {
    components: { schemas: { ChatRequest: { properties: Record<string, Schema> } } }
  }
  const { properties } = components.schemas.ChatRequest
  expect(FIELDS.length).toBe(9)
  for (const { name, min, max, whole = false } of FIELDS) {
    const { type, minimum, maximum } = properties[name] as Schema
    expect({ name, min, max, whole }).toEqual({
      name,
      min: minimum,
      max: maximum,
      whole: [type].flat().includes('integer'),
    })
  }
  expect(JSON.stringify(properties.stop)).toContain(`"maxItems":${MOST_STOPS}`)
})

describeChromium('the playground', (open) => {
  test('sends no sampling that was not set, and all that was', async () => {
    const { page, engine } = await openPlayground(open)
    await say(page, 'plain')
    await answered(page)
    expect(lastCall(engine).options).toEqual({ temperature: 1, topP: 1 })
    const settings = {
      Temperature: '0.3',
      'Top p': '0.8',
      'Min p': '0.05',
      'Top k': '40',
      'Max tokens': '7',
      Seed: '-3',
      'Repetition penalty': '1.1',
      'Presence penalty': '0.5',
      'Frequency penalty': '-0.25',
      'Stop at': 'END\n\\n\\n\nback\\\\slash',
    }
    for (const [label, value] of Object.entries(settings)) {
      await page.getByLabel(label, { exact: true }).fill(value)
    }
    await say(page, 'set')
    await answered(page)
    expect(lastCall(engine).options).toEqual({
      temperature: 0.3,
      topP: 0.8,
      minP: 0.05,
      topK: 40,
      maxTokens: 7,
      seed: 2 ** 32 - 3,
      repetitionPenalty: 1.1,
      presencePenalty: 0.5,
      frequencyPenalty: -0.25,
      stop: ['END', '\n\n', 'back\\slash'],
    })
    const stats = page.locator('.message.assistant .stats').last()
    expect(await stats.textContent()).toContain('cut at the limit')
    await page.getByRole('button', { name: 'Reset sampling' }).click()
    await say(page, 'plain again')
    await answered(page)
    expect(lastCall(engine).options).toEqual({ temperature: 1, topP: 1 })
  })

  test('the slider sets its number', async () => {
    const { page, engine } = await openPlayground(open)
    await page.locator('input[type=range]').first().fill('1.5')
    expect(await page.getByLabel('Temperature').inputValue()).toBe('1.5')
    await say(page, 'x')
    await answered(page)
    expect(lastCall(engine).options).toEqual({ temperature: 1.5, topP: 1 })
  })

  test('says what is wrong with a value, and sends nothing before it is mended', async () => {
    const { page, engine } = await openPlayground(open)
    const temperature = page.getByLabel('Temperature')
    await temperature.fill('3')
    await page.getByText('A number from 0 to 2.').waitFor()
    await say(page, 'x')
    expect(engine.calls.length).toBe(0)
    expect(await page.locator(':focus').getAttribute('id')).toBe('sampling-temperature')
    await temperature.fill('2')
    await page.keyboard.press('Tab')
    expect(await temperature.getAttribute('aria-invalid')).toBe(null)
    await page.getByLabel('Message', { exact: true }).press('Enter')
    await answered(page)
    expect(lastCall(engine).options).toEqual({ temperature: 2, topP: 1 })
  })

  test('settings stay with their conversation, over a reload too', async () => {
    const { page } = await openPlayground(open)
    await page.getByLabel('Temperature').fill('0.5')
    await page.getByLabel('System prompt').fill('One.')
    await say(page, 'one')
    await answered(page)
    await page.getByRole('button', { name: 'New', exact: true }).click()
    expect(await page.getByLabel('Temperature').inputValue()).toBe('0.5')
    await page.getByLabel('Temperature').fill('0.7')
    await say(page, 'two')
    await answered(page)
    await page.reload()
    expect(await page.getByLabel('Temperature').inputValue()).toBe('0.7')
    await page.locator('#conversations').getByRole('button', { name: 'one', exact: true }).click()
    expect(await page.getByLabel('Temperature').inputValue()).toBe('0.5')
    expect(await page.getByLabel('System prompt').inputValue()).toBe('One.')
  })

  test('names the models, and asks the chosen one', async () => {
    const { page, asked } = await openPlayground(open)
    const model = page.getByLabel('Model', { exact: true })
    await expect.poll(() => model.inputValue()).toBe('fake/tiny-1')
    expect(await model.locator('option').allTextContents()).toEqual(['tiny-1'])
    const body = page.waitForRequest('**/v1/chat/completions')
    await say(page, 'x')
    expect((await body).postDataJSON()).toMatchObject({ model: 'fake/tiny-1', stream: true })
    await answered(page)
    expect(asked.some((url) => url.endsWith('/v1/models'))).toBe(true)
  })

  test('shows how likely each token was, and what else could have been said', async () => {
    const words = ['One', ' two', '\n', ' three']
    const { page, engine } = await openPlayground(open, { engine: { words } })
    await page.getByLabel('Token probabilities').check()
    await say(page, 'count')
    await answered(page)
    expect(lastCall(engine).options).toMatchObject({ logprobs: true, topLogprobs: 8 })
    const tokens = page.getByRole('listbox').getByRole('option')
    expect(await tokens.allTextContents()).toEqual(['One', ' two', '↵', ' three'])
    const all = await tokens.all()
    const labels = all.map((token) => token.getAttribute('aria-label'))
    expect(await Promise.all(labels)).toEqual([
      'One, 92.7 %',
      'two, 91.0 %',
      'line break, 90.6 %',
      'three, 90.5 %',
    ])
    // By the keyboard: into the tokens with Tab, on with the arrows.
    await tokens.first().focus()
    await page.keyboard.press('ArrowRight')
    const details = page.getByRole('tooltip')
    expect(await details.locator('caption').textContent()).toBe('“ two” was 91.0 % likely')
    expect(await details.locator('th').allTextContents()).toEqual([' two', 'One', '↵', ' three'])
    expect(await details.locator('.chosen th').textContent()).toBe(' two')
    const describedBy = await tokens.nth(1).getAttribute('aria-describedby')
    expect(describedBy).toBe(await details.getAttribute('id'))
    await page.keyboard.press('Escape')
    expect(await details.isVisible()).toBe(false)
    await page.keyboard.press('End')
    expect(await details.locator('caption').textContent()).toBe('“ three” was 90.5 % likely')
    // By the pointer.
    await tokens.first().hover()
    expect(await details.locator('caption').textContent()).toBe('“One” was 92.7 % likely')
    // As text again; the key puts away what is in the way.
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Tokens' }).click()
    expect(await page.getByRole('listbox').isVisible()).toBe(false)
    expect(await page.locator('.message.assistant .body').textContent()).toBe('One twothree')
  })

  test('writes the request as a line for a shell, without the key', async () => {
    const context = { permissions: ['clipboard-read', 'clipboard-write'] }
    const { page, server } = await openPlayground(open, { context })
    await page.evaluate(`sessionStorage.setItem('illuminator.key', 'sk-secret')`)
    await page.getByLabel('System prompt').fill("It's brief.")
    await page.getByLabel('Seed').fill('1')
    await page.getByRole('button', { name: 'Copy as curl' }).click()
    const line = await page.evaluate<string>('navigator.clipboard.readText()')
    expect(line).toContain(`curl -N ${server.url}/v1/chat/completions`)
    expect(line).toContain('"Authorization: Bearer $API_KEY"')
    expect(line).toContain(`It'\\''s brief.`)
    expect(line).toContain('"seed": 1')
    expect(line).not.toContain('secret')
  })
})
