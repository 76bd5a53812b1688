/** Rotations of GGUF against those of the configs that they were made from: the frequencies must be the same. */
import { describe, expect, it } from 'vitest'
import { rotaryTable } from '../models/rotary.ts'
import { parseRotary } from '../models/rotary-config.ts'
import type { GgufTensor, GgufValue } from '../weights/gguf.ts'
import type { JsonObject } from '../weights/json.ts'
import { Metadata } from './metadata.ts'
import { deriveRotation } from './rotation.ts'

const CONTEXT = 131_072

function metaOf(
  keys: Record<string, GgufValue>,
  vectors: Record<string, readonly number[]> = {},
): Metadata {
  const metadata = new Map<string, GgufValue>([
    ['general.architecture', 'llama'],
    ['llama.context_length', CONTEXT],
  ])
  for (const [key, value] of Object.entries(keys)) metadata.set(`llama.rope.${key}`, value)
  const data = new Map<GgufTensor, Float32Array>()
  const tensors = new Map<string, GgufTensor>()
  for (const [name, numbers] of Object.entries(vectors)) {
    const bytes = numbers.length * 4
    const type = { name: 'F32', block: 1, bytes: 4 }
    const tensor = { name: `${name}.weight`, shape: [numbers.length], type, start: 0, bytes }
    tensors.set(tensor.name, tensor)
    data.set(tensor, Float32Array.from(numbers))
  }
  return new Metadata({
    ...{ path: 'm.gguf', metadata, tensors },
    async read(tensor, offset, into) {
      const all = new Uint8Array(data.get(tensor)?.buffer ?? new ArrayBuffer(0))
      into.set(all.subarray(offset, offset + into.length))
    },
  })
}

/** Inverse frequencies and the factor on cos and sin. */
const tableOf = (json: JsonObject, size = 128, context = 0) =>
  rotaryTable(parseRotary({ max_position_embeddings: CONTEXT, ...json }), size, context)

describe('Llama 3’s factors', () => {
  const scaling = (factor: number, context = 8192) => ({
    ...{ rope_type: 'llama3', factor, low_freq_factor: 1, high_freq_factor: 4 },
    original_max_position_embeddings: context,
  })
  const factorsOf = (config: JsonObject, theta: number, size: number) => {
    const plain = tableOf({ rope_theta: theta }, size).inverseFrequencies
    const scaled = tableOf({ rope_theta: theta, rope_scaling: config }, size).inverseFrequencies
    return Array.from(plain, (value, i) => value / (scaled[i] ?? 1))
  }

  it.each([
    [8, 500_000, 128, 8192],
    [32, 500_000, 64, 8192],
    [4, 10_000, 80, 4096],
  ])('are found again: %d, base %d, heads of %d, from %d', async (factor, theta, size, context) => {
    const rope_freqs = factorsOf(scaling(factor, context), theta, size)
    const found = await deriveRotation(metaOf({ freq_base: theta }, { rope_freqs }), size)
    expect(found).toEqual({ rope_theta: theta, rope_scaling: scaling(factor, context) })
  })

  it('that follow no formula stay factors', async () => {
    const rope_freqs = [1, 1.5, 2.5, 8]
    const found = await deriveRotation(metaOf({ freq_base: 10_000 }, { rope_freqs }), 8)
    const plain = tableOf({ rope_theta: 10_000 }, 8).inverseFrequencies
    for (const context of [0, CONTEXT]) {
      const { inverseFrequencies, attentionFactor } = tableOf(found, 8, context)
      expect(attentionFactor).toBe(1)
      inverseFrequencies.forEach((value, i) => {
        expect(value * (rope_freqs[i] ?? 0)).toBeCloseTo(plain[i] ?? Number.NaN, 6)
      })
    }
  })

  it('of 1 are none', async () => {
    const found = await deriveRotation(metaOf({}, { rope_freqs: [1, 1, 1, 1] }), 8)
    expect(found).toEqual({ rope_theta: 10_000, rope_scaling: null })
  })
})

it.each([
  ['linear', { 'scaling.type': 'linear', 'scaling.factor': 8 }, { rope_type: 'linear', factor: 8 }],
  ['linear, as old files have it', { scale_linear: 4 }, { rope_type: 'linear', factor: 4 }],
  ['none', { 'scaling.type': 'none' }, null],
  [
    'yarn',
    {
      ...{ 'scaling.type': 'yarn', 'scaling.factor': 4, 'scaling.original_context_length': 32_768 },
      ...{ 'scaling.yarn_beta_fast': 16, 'scaling.yarn_attn_factor': Math.fround(1.1) },
    },
    {
      ...{ rope_type: 'yarn', factor: 4, original_max_position_embeddings: 32_768 },
      ...{ beta_fast: 16, attention_factor: 1.1 },
    },
  ],
] as const)('%s', async (_, keys, scaling) => {
  expect((await deriveRotation(metaOf(keys), 64)).rope_scaling).toEqual(scaling)
})

it('longrope has its factors, its context and its scale', async () => {
  const vectors = { rope_factors_short: [1, 1.1], rope_factors_long: [4, 8.5] }
  const keys = { 'scaling.original_context_length': 4096, 'scaling.attn_factor': Math.fround(1.19) }
  expect((await deriveRotation(metaOf(keys, vectors), 4)).rope_scaling).toEqual({
    rope_type: 'longrope',
    short_factor: [1, 1.1],
    long_factor: [4, 8.5],
    original_max_position_embeddings: 4096,
    attention_factor: 1.19,
  })
})

it('a part of each head is a share of it that comes to as many dimensions', async () => {
  for (const [dimensions, size] of [
    [96, 128],
    [52, 80],
    [6, 22],
    [10, 98],
  ] as const) {
    const found = await deriveRotation(metaOf({ dimension_count: dimensions }), size)
    expect(Math.floor(size * Number(found.partial_rotary_factor))).toBe(dimensions)
  }
})
