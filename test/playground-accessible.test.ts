/** The playground has nothing that axe objects to, in light and dark. */
import axe, { type AxeResults } from 'axe-core'
import { afterEach, expect, test } from 'vitest'
import { describeChromium, screenshot } from './chromium.ts'
import { clientServer, closeClientServers } from './client-server.ts'

afterEach(closeClientServers)

describeChromium('axe', (open) => {
  test.each(['light', 'dark'] as const)('finds nothing in %s', async (colorScheme) => {
    const { baseURL } = await clientServer()
    const page = await open({ colorScheme, bypassCSP: true })
    await page.goto(new URL('/', baseURL).href)
    await page.evaluate(axe.source)
    const { violations } = await page.evaluate<AxeResults>('axe.run()')
    expect(violations).toEqual([])
    await screenshot(page, `first-${colorScheme}`)
  })
})
