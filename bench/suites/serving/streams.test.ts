/** Rates and gaps out of arrivals; sequences that were never together. */
import { expect, it } from 'vitest'
import type { Chunk, Generation } from '../../../engine/index.ts'
import { FakeEngine } from './fake-engine.ts'
import { gapsOf, newStream, readInto, runTogether } from './streams.ts'

it('counts a gap for each token of a chunk', () => {
  const stream = {
    ids: [1, 2, 3, 4],
    arrivals: [
      { at: 10, tokens: 1 },
      { at: 20, tokens: 1 },
      { at: 60, tokens: 2 },
    ],
  }
  expect(gapsOf(stream)).toEqual([
    { at: 20, ms: 10 },
    { at: 60, ms: 20 },
    { at: 60, ms: 20 },
  ])
})

it('takes no note of chunks without ids, and leaves when it is enough', async () => {
  let left = false
  async function* chunks(): AsyncGenerator<Chunk> {
    try {
      for (const ids of [[1], [], [2, 3], [4]]) yield { ids } as unknown as Chunk
    } finally {
      left = true
    }
  }
  const stream = newStream()
  const generation = { [Symbol.asyncIterator]: chunks } as unknown as Generation
  await readInto(stream, generation, () => stream.ids.length >= 3)
  expect(stream.ids).toEqual([1, 2, 3])
  expect(stream.arrivals.map(({ tokens }) => tokens)).toEqual([1, 2])
  expect(left).toBe(true)
})

it('gives the rate of all while all run, and what the loops did', async () => {
  const { streams, stretch, rate } = await runTogether(new FakeEngine(), [[1], [2], [3]], 20)
  expect(streams.map(({ ids }) => ids.length)).toEqual([20, 20, 20])
  expect(stretch.worker).toBeCloseTo(0.25)
  expect(stretch.steps).toBeGreaterThan(50)
  // A step of this engine is a token: 19 of each stream's in the stretch.
  expect(rate / ((57 / stretch.ms) * 1000)).toBeGreaterThan(0.8)
})

it('has no figure for sequences that never ran at once', async () => {
  await expect(runTogether(new FakeEngine(), [[1], [2]], 1)).rejects.toThrow('never ran at once')
})
