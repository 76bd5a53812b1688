/**
 * The promise "the same tokens whatever the company" on tiny random models of many shapes: 200 prompts × 64 tokens, both
 * greedy and seeded. On SwiftShader, whose step takes many times as long, 20 prompts × 16 tokens, too short an answer to be
 * sent back for want of pages.
 */
import { afterAll, expect, test } from 'vitest'
import { Engine } from '../../engine/index.ts'
import { removeFolder } from '../../engine/weights/fixture.ts'
import { type RandomLlamaOptions, writeRandomLlama } from '../../test/random-llama.ts'
import { SLOW } from '../../test/slow-adapter.ts'
import { checkIdentity } from './identity.ts'

const TINY = { layers: 1, context: 1024, hidden: 32, intermediate: 64 } as const
const MODELS: Record<string, RandomLlamaOptions> = {
  'bf16, two heads a KV head': {
    ...TINY,
    layers: 2,
    vocabulary: 301,
    dtype: () => 'BF16',
  },
  'f16 with biases, a KV head a head, head size 20': {
    ...TINY,
    heads: 3,
    kvHeads: 3,
    headDim: 20,
    vocabulary: 517,
    biases: true,
    dtype: () => 'F16',
  },
  'affine 4-bit, one KV head, a head of its own': {
    ...TINY,
    hidden: 64,
    heads: 6,
    kvHeads: 1,
    headDim: 32,
    vocabulary: 1031,
    tied: false,
    affine: { bits: 4, group: 32 },
    dtype: () => 'F16',
  },
  'affine 8-bit, head size 64': {
    ...TINY,
    hidden: 64,
    heads: 2,
    kvHeads: 1,
    headDim: 64,
    vocabulary: 127,
    affine: { bits: 8, group: 64 },
    dtype: () => 'BF16',
  },
  'mixed number types, head size 6': {
    ...TINY,
    heads: 9,
    kvHeads: 3,
    headDim: 6,
    vocabulary: 89,
    dtype: (name) => (name.includes('q_proj') ? 'BF16' : name.includes('embed') ? 'F16' : 'F32'),
  },
}

const PROMPTS = SLOW ? 4 : 40
const TOKENS = SLOW ? 16 : 64

const folders: string[] = []
afterAll(async () => {
  for (const folder of folders) await removeFolder(folder)
})

test.each(Object.entries(MODELS))(
  `%s: ${PROMPTS} prompts × ${TOKENS} tokens`,
  async (title, options) => {
    const { folder } = await writeRandomLlama({ seed: 11, ...options })
    folders.push(folder)
    const report = await checkIdentity({
      prompts: PROMPTS,
      tokens: TOKENS,
      seed: title.length,
      load: (more) => Engine.load(folder, { ...more, device: { inThread: true } }),
      note: () => undefined,
    })
    for (const condition of report.conditions) {
      expect(condition).toMatchObject({ differences: 0, missed: 0, first: null })
    }
    expect(report.conditions.length).toBe(SLOW ? 13 : 15)
  },
)
