/**
 * The one place that knows of a browser: tests of pages run in a real headless Chromium, Debian's or whatever `CHROMIUM`
 * names. Without one they skip with a printed reason; `.ci/run` installs it, and fails when they skip all the same.
 */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import axe, { type AxeResults } from 'axe-core'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { afterAll, afterEach, describe, it } from 'vitest'

/** Ends the name of every test that skipped for want of a browser; as in `scripts/sum-results.mjs`. */
const SKIP_MARK = '[needs chromium]'

const USUAL = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

/** Kept out of git; CI keeps it as an artefact. */
const SCREENSHOTS = join(import.meta.dirname, '..', '.cache', 'screenshots')

function chromiumPath(): string | null {
  const { CHROMIUM } = process.env
  if (CHROMIUM && !existsSync(CHROMIUM)) {
    throw new Error(
      `CHROMIUM is ${CHROMIUM}, which is no file. Point it at a Chromium or unset it.`,
    )
  }
  return CHROMIUM || (USUAL.find((path) => existsSync(path)) ?? null)
}

/** Opens a page of its own, as the options want it. */
export type OpenPage = (options?: BrowserContextOptions) => Promise<Page>

/** `describe` for tests in a browser: one for all of them, closed afterwards; each test's pages are closed with it. */
export function describeChromium(name: string, body: (open: OpenPage) => void): void {
  const executablePath = chromiumPath()
  if (executablePath === null) {
    process.stderr.write(`skipped: ${name}: there is no Chromium (CHROMIUM)\n`)
    describe(name, () => {
      it.skip(`runs in a browser ${SKIP_MARK}`, () => {})
    })
    return
  }
  describe(name, { timeout: 60_000 }, () => {
    let browser: Promise<Browser> | undefined
    const opened: Page[] = []
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((page) => page.context().close()))
    })
    afterAll(async () => (await browser)?.close())
    body(async (options = {}) => {
      // Root, as CI is, has no sandbox.
      browser ??= chromium.launch({ executablePath, args: ['--no-sandbox'] })
      const page = await (await (await browser).newContext(options)).newPage()
      // Less than a test's, so that what is waited for is told.
      page.setDefaultTimeout(25_000)
      opened.push(page)
      return page
    })
  })
}

/** Keeps what the page looks like. */
export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(SCREENSHOTS, { recursive: true })
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), animations: 'disabled' })
}

/** What axe objects to; the page must have been opened with `bypassCSP`. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  const found = (await page.evaluate<AxeResults>('axe.run()')).violations
  return found.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => [id, html, failureSummary].join(': ')),
  )
}
