/** How many rows of prompts a step takes where nobody says: as many as bindings hold, within bounds. */
import { expect, test } from 'vitest'
import type { Device } from '../../kernels/index.ts'
import { CONFIGS } from '../models/fixture.ts'
import { llama } from '../models/llama.ts'
import { sizesOf } from './sizes.ts'

const config = llama.config({ ...CONFIGS.llama, intermediate_size: 1024 }, {})
const sizes = (maxBinding: number, prefillChunk?: number) =>
  sizesOf({ caps: { maxBinding, software: true } } as Device, config, {
    ...{ kv: 'f32', activations: 'f32', contextLength: 64, kvMemory: undefined },
    ...{ maxSequences: 7, prefillChunk, drafts: 0, draft: null },
  })

/** Bytes of the widest row, gated values, in f32. */
const ROW = 4096

test('with room enough: 256', () => {
  expect(sizes(2 ** 27).chunk).toBe(256)
  expect(sizes(264 * ROW).chunk).toBe(256)
})

test('what decoding sequences leave of a binding, in whole tiles', () => {
  const { chunk, rows } = sizes(256 * ROW)
  expect(chunk).toBe(248)
  expect(Math.ceil(rows / 8) * 8).toBeLessThanOrEqual(256)
  expect(sizes(247 * ROW).chunk).toBe(232)
})

test('64 at least, and what is asked for in any case', () => {
  expect(sizes(32 * ROW).chunk).toBe(64)
  expect(sizes(32 * ROW, 512).chunk).toBe(512)
  expect(sizes(2 ** 27, 16).chunk).toBe(16)
})
