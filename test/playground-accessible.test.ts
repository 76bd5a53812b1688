/** Who sees nothing, uses no mouse, or has a small screen can do all of it; axe finds nothing to object to. */
import type { Page } from 'playwright-core'
import { afterEach, expect, test } from 'vitest'
import type { TokenLogprob } from '../engine/api.ts'
import type { FakeEngine } from '../server/fake-engine.ts'
import { describeChromium, screenshot, violations } from './chromium.ts'
import {
  answered,
  closePlaygrounds,
  lastAnswer,
  lastCall,
  openPlayground,
  say,
} from './playground-page.ts'

afterEach(closePlaygrounds)

const ANSWER = [
  'The sky is blue because of **Rayleigh scattering**:',
  ' short waves are scattered far more than long ones.\n\n',
  '### In one line\n\n```python\ndef scattered(wavelength):\n    return 1 / wavelength ** 4',
  '  # blue: 4.4 times as much as red, and a line that is too long for a phone\n```\n\n',
  '1. Sunlight is *white*.\n2. Blue goes to every side.\n\n',
  '| Colour | Wave | Scattered |\n|---|--:|--:|\n| blue | 450 nm | 4.4 |\n| red | 650 nm | 1.0 |\n\n',
  '> At sunset the blue is gone. See https://example.com/rayleigh.',
]
  .join('')
  .match(/\s*\S+/g) as string[]

/** Makes the words of the fake engine differ in how likely they are. */
function vary(engine: FakeEngine): void {
  const chat = engine.chat.bind(engine)
  engine.chat = (...asked) => {
    const generation = chat(...asked)
    const chunks = generation[Symbol.asyncIterator].bind(generation)
    generation[Symbol.asyncIterator] = async function* () {
      for await (const chunk of { [Symbol.asyncIterator]: chunks }) {
        yield { ...chunk, logprobs: chunk.logprobs?.map(varied) ?? null }
      }
    }
    return generation
  }
}

/** The likelier the chosen one is, the less is left for the others. */
function varied({ id, top }: TokenLogprob): TokenLogprob {
  const chosen = 1 - ((id * 7) % 10) ** 2 / 90
  const others = top.filter((other) => other.id !== id)
  const told = others.map((other, at) => ({
    id: other.id,
    logprob: Math.log(((1 - chosen) * 0.98 + 0.001) * 0.5 ** (at + 1)),
  }))
  const logprob = Math.log(chosen)
  return { id, logprob, top: [{ id, logprob }, ...told].sort((a, b) => b.logprob - a.logprob) }
}

/** In which states axe looks; each goes on from the one before. */
const STATES: readonly [string, (page: Page) => Promise<void>][] = [
  ['empty', async () => {}],
  [
    'answered',
    async (page) => {
      await page.getByLabel('System prompt').fill('You are a physicist.')
      await page.getByLabel('Temperature').fill('0.2')
      await say(page, 'Why is the sky blue?')
      await answered(page)
    },
  ],
  [
    'tokens',
    async (page) => {
      await page.getByLabel('Token probabilities').check()
      await say(page, 'And at night?')
      await answered(page)
      await page.getByRole('listbox').getByRole('option').nth(9).focus()
    },
  ],
  ['editing', (page) => page.getByRole('button', { name: 'Edit' }).last().click()],
  [
    'wrong',
    async (page) => {
      await page.keyboard.press('Escape')
      await page.getByLabel('Temperature').fill('9')
    },
  ],
  ['key', (page) => page.getByRole('button', { name: 'Key' }).click()],
]

/** How far the page could be scrolled sideways. */
const OVERFLOW = `Math.max(...[document.documentElement, document.getElementById('scroll')]
  .map((node) => node ? node.scrollWidth - node.clientWidth : 0))`

describeChromium('the playground', (open) => {
  test.each(['light', 'dark'] as const)(
    'axe finds nothing in %s',
    async (colorScheme) => {
      const context = { colorScheme, bypassCSP: true, viewport: { width: 1280, height: 800 } }
      const { page, engine } = await openPlayground(open, { context, engine: { words: ANSWER } })
      vary(engine)
      for (const [state, enter] of STATES) {
        await enter(page)
        expect(await violations(page), state).toEqual([])
        await screenshot(page, `playground-${state}-${colorScheme}`)
      }
    },
    90_000,
  )

  test('320 pixels are enough', async () => {
    const context = { viewport: { width: 320, height: 640 }, bypassCSP: true, hasTouch: true }
    const { page, engine } = await openPlayground(open, { context, engine: { words: ANSWER } })
    vary(engine)
    await page.getByLabel('Token probabilities').check()
    await page.getByRole('button', { name: 'Settings' }).click()
    const settings = page.getByRole('dialog', { name: 'Settings' })
    await settings.getByLabel('Seed').fill('7')
    await screenshot(page, 'playground-settings-phone')
    expect(await violations(page)).toEqual([])
    await settings.getByRole('button', { name: 'Close' }).click()
    await page.getByLabel('Message', { exact: true }).fill(`long${'word'.repeat(50)}`)
    await page.getByRole('button', { name: 'Send' }).tap()
    await answered(page)
    expect(lastCall(engine).options).toMatchObject({ seed: 7 })
    expect(await page.evaluate(OVERFLOW)).toBe(0)
    await screenshot(page, 'playground-tokens-phone')
    await page.getByRole('button', { name: 'Tokens' }).tap()
    expect(await page.evaluate(OVERFLOW)).toBe(0)
    expect(await violations(page)).toEqual([])
    await screenshot(page, 'playground-answered-phone')
    await page.getByRole('button', { name: 'Chats' }).tap()
    const chats = page.getByRole('dialog', { name: 'Conversations' })
    await chats.getByRole('button', { name: 'New', exact: true }).tap()
    expect(await page.locator('.message').count()).toBe(0)
    expect(await chats.isVisible()).toBe(false)
  })

  test('the keyboard does all of it', async () => {
    const { page, engine } = await openPlayground(open)
    const focused = () =>
      page.evaluate<string>(`(({ id, ariaLabel, textContent }) =>
      id || ariaLabel || textContent)(document.activeElement)`)
    const press = async (key: string, until: string) => {
      for (let i = 0; i < 60; i++) {
        await page.keyboard.press(key)
        if ((await focused()).startsWith(until)) return
      }
      throw new Error(`${key} never came to ${until}`)
    }
    await press('Tab', 'Skip to the message')
    await page.keyboard.press('Enter')
    expect(await focused()).toBe('prompt')
    await page.keyboard.type('one')
    await page.keyboard.press('Shift+Enter')
    await page.keyboard.type('two')
    await page.keyboard.press('Enter')
    await answered(page)
    expect(lastCall(engine).messages).toEqual([{ role: 'user', content: 'one\ntwo' }])
    expect(await focused()).toBe('prompt')
    await press('Tab', 'wants-tokens')
    await page.keyboard.press('Space')
    await press('Shift+Tab', 'Regenerate')
    await page.keyboard.press('Enter')
    await answered(page)
    expect(await focused()).toBe('prompt')
    await press('Shift+Tab', 'Once, ')
    await page.keyboard.press('ArrowRight')
    expect(await page.getByRole('tooltip').isVisible()).toBe(true)
    await page.keyboard.press('Escape')
    await press('Shift+Tab', 'Edit')
    await page.keyboard.press('Enter')
    await page.keyboard.press('Control+A')
    await page.keyboard.type('three')
    await page.keyboard.press('Enter')
    await answered(page)
    expect(await focused()).toBe('prompt')
    expect(lastCall(engine).messages).toEqual([{ role: 'user', content: 'three' }])
    await press('Tab', 'key-open')
    await page.keyboard.press('Enter')
    expect(await focused()).toBe('key')
    await page.keyboard.press('Escape')
    expect(await focused()).toBe('key-open')
  })

  test('an answer is read out by sentences, not by tokens', async () => {
    const words = Array.from({ length: 60 }, (_, at) => (at % 10 === 9 ? ' end. ' : ` w${at}`))
    const { page } = await openPlayground(open, { engine: { words, rate: 12 } })
    await page.evaluate(`window.told = []; new MutationObserver((all) => told.push(
      ...all.flatMap(({ addedNodes }) => [...addedNodes].map((node) => node.textContent))))
      .observe(document.getElementById('announcements'), { childList: true })`)
    await say(page, 'x')
    await answered(page)
    const told = await page.evaluate<string[]>('told')
    expect(told.at(-1)).toBe('End of the answer.')
    expect(told.length).toBeLessThanOrEqual(7)
    expect(told.slice(0, -1).join('').trim()).toBe(await lastAnswer(page))
    expect(told.slice(0, -1).filter((text) => !text.trimEnd().endsWith('end.'))).toEqual([])
  })

  test('nothing moves where motion is not wanted', async () => {
    const { page } = await openPlayground(open, {
      context: { reducedMotion: 'reduce' },
      engine: { rate: 5 },
    })
    await say(page, 'x')
    await page.getByText('Once').waitFor()
    expect(await page.evaluate('document.getAnimations().length')).toBe(0)
    await answered(page)
  })
})
