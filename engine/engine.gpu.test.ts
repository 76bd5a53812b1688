/** The engine's numbers on random models: against a float64 reference, and every way of storing or splitting weights against the plain one. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type RandomLlama,
  type RandomLlamaOptions,
  TEXT_VOCABULARY,
  writeRandomLlama,
} from '../test/random-llama.ts'
import { referenceLogits } from '../test/reference-llama.ts'
import type { LoadOptions } from './api.ts'
import { Engine } from './engine.ts'
import type { DeviceTestOptions } from './load-model.ts'
import { removeFolder } from './weights/fixture.ts'

type Options = LoadOptions & { device?: DeviceTestOptions }

const folders: string[] = []
afterAll(async () => {
  for (const folder of folders) await removeFolder(folder)
})

async function write(options: RandomLlamaOptions): Promise<RandomLlama> {
  const model = await writeRandomLlama(options)
  folders.push(model.folder)
  return model
}

async function withEngine<T>(
  model: RandomLlama,
  options: Options,
  use: (engine: Engine) => Promise<T>,
): Promise<T> {
  const engine = await Engine.load(model.folder, options)
  try {
    return await use(engine)
  } finally {
    await engine.close()
  }
}

/** Logits after every one of `ids`. */
const allLogits = (model: RandomLlama, ids: readonly number[], options: Options = {}) =>
  withEngine(model, options, async (engine) => (await engine.logits(ids, { all: true })).all ?? [])

function furthest(a: readonly ArrayLike<number>[], b: readonly ArrayLike<number>[]): number {
  expect(a.length).toBe(b.length)
  let worst = 0
  a.forEach((row, i) => {
    const other = b[i] ?? []
    expect(row.length).toBe(other.length)
    for (let j = 0; j < row.length; j++) {
      const distance = Math.abs((row[j] ?? Number.NaN) - (other[j] ?? Number.NaN))
      // NaN compares as false: it must not pass for near.
      if (!(distance <= worst)) worst = distance
    }
  })
  return worst
}

const prompt = (length: number, vocabulary: number): number[] =>
  Array.from({ length }, (_, i) => (i * 7919 + 13) % vocabulary)

const argmax = (row: ArrayLike<number>): number => {
  let best = 0
  for (let i = 1; i < row.length; i++) if ((row[i] ?? 0) > (row[best] ?? 0)) best = i
  return best
}

describe('a model whose matrices are larger than 1 MiB', () => {
  let model: RandomLlama
  let engine: Engine
  const short = prompt(11, 3000)

  beforeAll(async () => {
    model = await write({
      hidden: 256,
      intermediate: 1024,
      vocabulary: 3000,
      heads: 8,
      kvHeads: 2,
      headDim: 32,
    })
    engine = await Engine.load(model.folder, { kv: 'f32' })
  })
  afterAll(() => engine?.close())

  test('a prompt of several chunks gives the reference’s logits', async () => {
    const ids = prompt(150, 3000)
    const wanted = [0, 1, 63, 64, 65, 127, 128, 149]
    const { all, last } = await engine.logits(ids, { all: true })
    const reference = referenceLogits(model, ids, wanted)
    expect(
      furthest(
        wanted.map((at) => all?.[at] ?? []),
        reference,
      ),
    ).toBeLessThan(2e-3)
    expect(last).toEqual(all?.at(-1))
    const alone = await engine.logits(ids)
    expect(alone.last).toEqual(last)
    expect(alone.all).toBeNull()
  })

  test('greedy generation is the argmax of the logits, step by step', async () => {
    const { ids } = await engine.generate(short, { temperature: 0, maxTokens: 8 }).result()
    expect(ids).toHaveLength(8)
    for (const [at, id] of ids.entries()) {
      const { last } = await engine.logits([...short, ...ids.slice(0, at)])
      expect((last[id] ?? Number.NaN) - (last[argmax(last)] ?? 0)).toBeGreaterThan(-1e-3)
    }
    expect((await engine.logits(short, { greedy: 8 })).greedy).toEqual(ids)
  })

  test('a decoded token makes nothing new and takes one pass and one submit', async () => {
    // It is answered once all pipelines are compiled.
    await engine.generate(short, { maxTokens: 1, logprobs: true }).result()
    const run = async (maxTokens: number) => {
      const before = engine.stats.calls
      await engine.generate(short, { temperature: 0, maxTokens }).result()
      const after = engine.stats.calls
      return Object.fromEntries(
        Object.keys(after).map((kind) => [kind, (after[kind] ?? 0) - (before[kind] ?? 0)]),
      )
    }
    // Log-probabilities wait until all pipelines are compiled; before, steps run in what there is.
    await engine.generate(short, { maxTokens: 1, logprobs: true }).result()
    const [few, many] = [await run(3), await run(13)]
    const perToken = Object.fromEntries(
      Object.keys(many).map((kind) => [kind, ((many[kind] ?? 0) - (few[kind] ?? 0)) / 10]),
    )
    const { dispatchesPerToken } = engine.stats
    const { writes, ...others } = perToken
    expect(others).toEqual({
      buffers: 0,
      bindGroups: 0,
      pipelines: 0,
      passes: 1,
      submits: 1,
      dispatches: dispatchesPerToken,
    })
    // Rows, tiles, picks and the head's rows; now and then a page.
    expect(writes).toBeLessThan(5)
    // Embedding, the first norm, five a layer, the last norm, head and choice.
    expect(dispatchesPerToken).toBe(2 + 5 * model.sizes.layers + 3)
    expect(many).toMatchObject({ buffers: 0, bindGroups: 0, pipelines: 0 })
  })

  test('split over bindings of 1 MiB: the same bits', async () => {
    const whole = await engine.logits(short, { all: true, greedy: 3 })
    const options: Options = { kv: 'f32', device: { maxBinding: 2 ** 20 } }
    await withEngine(model, options, async (split) => {
      expect(split.stats.dispatchesPerToken).toBeGreaterThan(engine.stats.dispatchesPerToken)
      expect(await split.logits(short, { all: true, greedy: 3 })).toEqual(whole)
    })
  })

  test('an f16 KV cache stays near the f32 one', async () => {
    const ids = prompt(40, 3000)
    const exact = await engine.logits(ids, { all: true })
    const half = await allLogits(model, ids, { kv: 'f16' })
    expect(furthest(exact.all ?? [], half)).toBeLessThan(2e-2)
  })
})

describe('small models', () => {
  const ids = prompt(21, TEXT_VOCABULARY)
  let model: RandomLlama
  let plain: Float32Array[]

  beforeAll(async () => {
    model = await write({ seed: 5, text: true })
    plain = await allLogits(model, ids, { kv: 'f32' })
  })

  test('without subgroups and without f16 the logits stay', async () => {
    // Drivers compile the plain variants slowly: both at once.
    const without = ['subgroups', 'shader-f16'] as const
    const other = await allLogits(model, ids, { kv: 'f32', device: { without } })
    expect(furthest(other, plain)).toBeLessThan(1e-3)
  })

  test('in shards: the same bits', async () => {
    const sharded = await write({ seed: 5, text: true, shards: 3 })
    expect(await allLogits(sharded, ids, { kv: 'f32' })).toEqual(plain)
  })

  test('logits of few rows at once where all do not fit a binding: the same bits', async () => {
    // Few parts: each is a shader of its own, and drivers compile slowly.
    const wide = await write({
      seed: 6,
      vocabulary: 1100,
      hidden: 32,
      intermediate: 64,
      layers: 1,
      dtype: () => 'BF16',
    })
    const options: Options = { kv: 'f32', contextLength: 64 }
    const whole = await allLogits(wide, ids, options)
    const split = await allLogits(wide, ids, { ...options, device: { maxBinding: 2 ** 15 } })
    expect(split).toEqual(whole)
  })

  const kinds = {
    'mixed number types in q, k and v, biases, a head of its own': {
      biases: true,
      tied: false,
      dtype: (name: string) =>
        name.includes('q_proj') ? 'BF16' : /[kv]_proj|embed/.test(name) ? 'F16' : 'F32',
    },
    'affine 4-bit': { affine: { bits: 4, group: 32 }, dtype: () => 'F16' },
  } as const satisfies Record<string, RandomLlamaOptions>

  test.each(Object.entries(kinds))('%s: the reference’s logits', async (_, options) => {
    const other = await write({ seed: 7, vocabulary: TEXT_VOCABULARY, ...options })
    const wanted = [0, 5, 20]
    const reference = referenceLogits(other, ids, wanted)
    await withEngine(other, { kv: 'f32' }, async (engine) => {
      const { all, greedy } = await engine.logits(ids, { all: true, greedy: 2 })
      expect(
        furthest(
          wanted.map((at) => all?.[at] ?? []),
          reference,
        ),
      ).toBeLessThan(2e-3)
      const { last } = await engine.logits([...ids, greedy[0] ?? -1])
      expect((last[greedy[1] ?? -1] ?? Number.NaN) - (last[argmax(last)] ?? 0)).toBeGreaterThan(
        -1e-3,
      )
    })
  })
})
