/** Other versions of the kernels: loaded from a folder as JavaScript, and refused where there is none. */
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { BenchError } from '../failure.ts'
import { withVersion } from './checkout.ts'
import { OURS } from './version.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

it("loads a checkout's kernels, with their shapes, and leaves nothing behind", async () => {
  await withVersion(ROOT, async (version) => {
    expect(version.title).toBe(ROOT)
    expect(Object.keys(version.kernels)).toEqual(Object.keys(OURS.kernels))
    expect(version.kernels.linear).not.toBe(OURS.kernels.linear)
    expect(version.kernels.linear?.bench).toEqual(OURS.kernels.linear?.bench)
  })
  expect(readdirSync(`${ROOT}.bench`).filter((name) => name.startsWith('against-'))).toEqual([])
}, 60_000)

it('tells what is neither a commit nor a folder', async () => {
  const never = withVersion('no-such-commit', async () => undefined)
  await expect(never).rejects.toThrow(BenchError)
  await expect(never).rejects.toThrow(
    /no-such-commit is neither a folder with kernels nor a commit/,
  )
})
