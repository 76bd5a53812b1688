/** What a load's progress says of its parts, and which flags of Node a process of its own gets. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { loadingFlags } from '../../engine/worker/loading-flags.ts'
import { dropFromPageCache, readSeconds, watchLoad } from './loading.ts'

it('a phase lasts from its first word to its last; one that never came took nothing', () => {
  const { onProgress, times } = watchLoad()
  for (const done of [0, 1, 2]) onProgress({ phase: 'weights', done, total: 2 })
  const { total, weights, pipelines, pipelinesProcessor } = times()
  expect(weights).toBeGreaterThan(0)
  expect(total).toBeGreaterThanOrEqual(weights)
  expect(pipelines).toBe(0)
  expect(pipelinesProcessor).toBe(0)
})

it('a process of its own gets what loads our sources, and no script of this one', () => {
  const flags = ['--import', './run.mjs', '--input-type=module', '--import=x', '-e', 'again()']
  expect(loadingFlags(flags)).toEqual(['--import', './run.mjs', '--import=x'])
})

it('reads weight files to their end', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'weights-'))
  try {
    await writeFile(join(folder, 'model.safetensors'), new Uint8Array(9_000_000))
    expect(await readSeconds(folder)).toBeGreaterThan(0)
    // Whether it can be asked for or not, the files are there afterwards.
    expect(typeof (await dropFromPageCache(folder))).toBe('boolean')
    expect(await readSeconds(folder)).toBeGreaterThan(0)
  } finally {
    await rm(folder, { recursive: true })
  }
})
