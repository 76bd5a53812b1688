/** The status page draws what `/metrics` tells, and says so where it may not ask. */
import type { Page } from 'playwright-core'
import { afterEach, expect, test } from 'vitest'
import type { FakeEngine } from '../server/fake-engine.ts'
import { describeChromium, screenshot, violations } from './chromium.ts'
import { closePlaygrounds, openPlayground } from './playground-page.ts'

afterEach(closePlaygrounds)

const path = '/status'

/** Something to draw: an engine at work. */
function busy({ stats }: FakeEngine): void {
  Object.assign(stats, {
    running: 3,
    queued: 2,
    pages: { free: 10, cached: 14, inUse: 40, total: 64 },
    prefix: { promptTokens: 200, cachedTokens: 50 },
    steps: stats.steps + 20,
    busy: stats.busy + 500,
  })
}

const told = (page: Page, title: string) =>
  page.getByRole('figure').filter({ has: page.getByRole('heading', { name: title }) })

/** How many points of a plot have any ink of the first line's colour. */
const INK = `[...document.querySelectorAll('canvas')].map((canvas) => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
  let ink = 0
  for (let at = 0; at < data.length; at += 4) if (data[at] - data[at + 2] > 100) ink++
  return ink
})`

describeChromium('the status page', (open) => {
  test.each(['light', 'dark'] as const)(
    'draws load, tokens, queue and pages, in %s',
    async (scheme) => {
      const context = { colorScheme: scheme, bypassCSP: true }
      const { page, engine, server } = await openPlayground(open, { path, context })
      for (let scrapes = 0; scrapes < 3; scrapes++) {
        busy(engine)
        await fetch(`${server.url}/generate`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ prompt: 'x' }),
        })
        await page.waitForResponse('**/metrics')
      }
      await told(page, 'Queue').getByText('waiting2').waitFor()
      expect(await told(page, 'Queue').locator('dl').textContent()).toBe('running3waiting2')
      expect(await told(page, 'Pages').locator('dl').textContent()).toBe(
        'in use40with cached54all64',
      )
      expect(await told(page, 'Load').locator('dl').textContent()).toMatch(/^GPU busy[1-9]\d* %$/)
      expect(await told(page, 'Tokens a second').locator('dl').textContent()).toMatch(
        /^generated[1-9]\d*\.\dof prompts\d+\.\dsteps\d+\.\d$/,
      )
      expect(await page.getByRole('img', { name: /^Queue/ }).getAttribute('aria-label')).toBe(
        'Queue over the last minutes; now running 3, waiting 2',
      )
      for (const ink of await page.evaluate<number[]>(INK)) expect(ink).toBeGreaterThan(100)
      const facts = await page.locator('#facts').textContent()
      expect(facts).toContain('Stateready')
      expect(facts).toContain('Modelfake/tiny-1')
      expect(facts).toContain('Prefix cache25 % of prompt tokens found')
      expect(await violations(page)).toEqual([])
      await screenshot(page, `status-${scheme}`)
    },
  )

  test('rests while it is paused', async () => {
    const { page, asked } = await openPlayground(open, { path })
    await page.waitForResponse('**/metrics')
    await page.getByRole('button', { name: 'Pause' }).click()
    const before = asked.length
    await page.waitForTimeout(2500)
    expect(asked.length).toBe(before)
    const resumed = page.waitForResponse('**/metrics')
    await page.getByRole('button', { name: 'Pause' }).click()
    await resumed
  })

  test('asks for a key, and for another one where the scope is missing', async () => {
    const { page, secret } = await openPlayground(open, { path, key: { scopes: ['generate'] } })
    const dialog = page.getByRole('dialog', { name: 'API key' })
    await dialog.getByText("one with the scope 'admin'").waitFor()
    await dialog.getByLabel('Key', { exact: true }).fill(secret)
    await page.keyboard.press('Enter')
    const alert = page.getByRole('alert').getByText("This needs the scope 'admin'")
    await alert.waitFor()
    expect(await alert.textContent()).toContain('illuminator keys create')
    await page.getByRole('button', { name: 'Use another key' }).click()
    await dialog.waitFor()
  })

  test('goes on asking when the server is gone, and says so', async () => {
    const { page, server } = await openPlayground(open, { path })
    await page.waitForResponse('**/metrics')
    await server.close()
    await page.getByRole('alert').getByText('Trying again.').waitFor()
  })

  test('320 pixels are enough', async () => {
    const context = { viewport: { width: 320, height: 640 }, bypassCSP: true }
    const { page } = await openPlayground(open, { path, context })
    await page.waitForResponse('**/metrics')
    await page.locator('canvas').first().waitFor()
    expect(await violations(page)).toEqual([])
    const overflow = '(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)'
    expect(await page.evaluate(`${overflow}(document.documentElement)`)).toBe(0)
    await screenshot(page, 'status-phone')
  })
})
