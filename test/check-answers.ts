/**
 * Set up before each test file that needs no adapter: no application of ours, in whichever test, answers anything under
 * `/v1` that is not OpenAI's.
 */
import { afterEach, expect, vi } from 'vitest'

const faults = vi.hoisted((): unknown[] => [])

vi.mock('../server/app.ts', async (original) => {
  const real = await original<typeof import('../server/app.ts')>()
  const { checkedApp } = await import('./checked-app.ts')
  const createApp: typeof real.createApp = (...given) =>
    checkedApp(real.createApp(...given), (fault) => faults.push(fault))
  return { ...real, createApp }
})

afterEach(() => {
  expect(faults.splice(0)).toEqual([])
})
