/** Tokens chosen on the GPU for a whole batch, each sequence by its own settings, with and without drafts, against the CPU oracle. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chooseToken, seenLogit } from '../../kernels/index.ts'
import { type RandomLlama, TEXT_VOCABULARY, writeRandomLlama } from '../../test/random-llama.ts'
import type { GenerateOptions, LoadOptions } from '../api.ts'
import { Engine } from '../engine.ts'
import type { AllLoadOptions } from '../load-model.ts'
import { removeFolder } from '../weights/fixture.ts'
import { checkParameters } from './parameters.ts'
import { countsOf } from './sampling.ts'

const CONTEXT = 512
const PAGE = 16
let model: RandomLlama
let engine: Engine
beforeAll(async () => {
  model = await writeRandomLlama({ seed: 5, text: true, context: CONTEXT })
  engine = await load()
})
afterAll(async () => {
  await engine?.close()
  if (model) await removeFolder(model.folder)
})

const load = (options: LoadOptions = {}): Promise<Engine> => {
  const all: AllLoadOptions = { ...options, device: { inThread: true } }
  return Engine.load(model.folder, all)
}

async function withEngine<T>(options: LoadOptions, use: (own: Engine) => Promise<T>): Promise<T> {
  const own = await load(options)
  try {
    return await use(own)
  } finally {
    await own.close()
  }
}

const ids = (length: number, shift = 0): number[] =>
  Array.from({ length }, (_, i) => 2 + ((i * 37 + shift * 11) % (TEXT_VOCABULARY - 2)))

const SAMPLED: GenerateOptions = { temperature: 0.9, seed: 3, maxTokens: 24, ignoreEos: true }
const answer = (prompt: readonly number[], options: GenerateOptions = {}) =>
  engine.generate(prompt, { ...SAMPLED, ...options }).result()

describe('sampling', () => {
  /** Of one request each; all at once they share the steps. */
  const requests: GenerateOptions[] = [
    { temperature: 0 },
    { temperature: 1.3, seed: 1 },
    { topK: 7, seed: 2 },
    { topP: 0.6, seed: 3 },
    { minP: 0.3, seed: 4 },
    { typicalP: 0.4, seed: 5 },
    { temperature: 0, repetitionPenalty: 1.6, presencePenalty: 1, frequencyPenalty: 0.6 },
    { temperature: 0.7, topK: 40, topP: 0.9, minP: 0.05, repetitionPenalty: 1.2, seed: 6 },
    { logitBias: { 9: 4, 30: -100, 31: 3.5 }, seed: 7 },
    { allowedTokens: ids(20, 3), temperature: 1.5, seed: 8 },
    { allowedTokens: [17], temperature: 0 },
    { frequencyPenalty: -2, allowedTokens: ids(50), logitBias: { 12: 2 }, topP: 0.8, seed: 9 },
  ]

  test('each of a batch is chosen by its own settings: the ids of the CPU oracle over the logits', async () => {
    const results = await Promise.all(
      requests.map((options, i) => answer(ids(20 + i, i), { ...options, logprobs: true })),
    )
    for (const [i, { ids: got, logprobs }] of results.entries()) {
      const prompt = ids(20 + i, i)
      const options = { ...SAMPLED, ...requests[i] }
      const { sampling } = checkParameters(options, TEXT_VOCABULARY, 0)
      const { settings, bias, allowed } = sampling[0] as (typeof sampling)[0]
      const biases = new Map(bias)
      const { all } = await engine.logits([...prompt, ...got.slice(0, -1)], { all: true })
      for (const [step, id] of got.entries()) {
        const logits = all?.[prompt.length - 1 + step] as Float32Array
        const counts = countsOf(prompt, got.slice(0, step), TEXT_VOCABULARY)
        const values = Float64Array.from(logits, (logit, token) => {
          const known = { bias: biases.get(token) ?? 0, allowed: allowed?.includes(token) ?? true }
          return seenLogit({ logit, count: counts[token] as number, ...known }, settings)
        })
        expect(chooseToken(values, settings, prompt.length - 1 + step), `${i}, ${step}`).toBe(id)
        const mass = logits.reduce((sum, logit) => sum + Math.exp(logit), 0)
        const expected = (logits[id] as number) - Math.log(mass)
        expect(logprobs?.[step]?.logprob).toBeCloseTo(expected, 3)
      }
    }
  })

  test('alternatives are the likeliest tokens, whatever the settings', async () => {
    const options = { logprobs: true, topLogprobs: 20, allowedTokens: [5, 6], maxTokens: 4 }
    const { ids: got, logprobs } = await answer(ids(20), options)
    const { all } = await engine.logits([...ids(20), ...got], { all: true })
    expect(logprobs).toHaveLength(4)
    for (const [step, detail] of logprobs?.entries() ?? []) {
      expect(detail.id).toBe(got[step])
      const logits = [...(all?.[19 + step] ?? [])]
      const order = logits.map((_, id) => id).sort((a, b) => logits[b]! - logits[a]! || a - b)
      expect(detail.top.map(({ id }) => id)).toEqual(order.slice(0, 20))
      const mass = logits.reduce((sum, logit) => sum + Math.exp(logit), 0)
      for (const { id, logprob } of detail.top) {
        expect(logprob).toBeCloseTo(logits[id]! - Math.log(mass), 3)
      }
    }
    expect((await answer(ids(20), { maxTokens: 1 })).logprobs).toBeNull()
    const only = await answer(ids(20), { maxTokens: 1, logprobs: true })
    expect(only.logprobs?.[0]?.top).toEqual([])
  })

  test('few pages or short chunks change no token of any of them', async () => {
    const long = { ...SAMPLED, maxTokens: 100 }
    const expected = await Promise.all(
      requests.map((options, i) => answer(ids(30, i), { ...long, ...options })),
    )
    const { memory, pages } = engine.stats
    const kvMemory = ((memory.byPurpose['kv-cache'] ?? 0) / pages.total) * (CONTEXT / PAGE)
    await withEngine({ kvMemory, prefillChunk: 9 }, async (own) => {
      const all = requests.map((options, i) =>
        own.generate(ids(30, i), { ...long, ...options }).result(),
      )
      for (const [i, work] of all.entries()) expect((await work).ids).toEqual(expected[i]?.ids)
      expect(own.stats.preemptions).toBeGreaterThan(0)
    })
  })
})

describe('drafts', () => {
  const requests: [number[], GenerateOptions][] = [
    // Its own words again and again: there is much to look up.
    [[...ids(12), ...ids(12), ...ids(12), ...ids(12)], { temperature: 0, maxTokens: 60 }],
    [ids(30, 1), { temperature: 0, frequencyPenalty: 0.5 }],
    [ids(30, 2), { temperature: 0.8, topP: 0.9, logprobs: true, topLogprobs: 3 }],
    [ids(5, 3), { temperature: 1, stopTokenIds: ids(40) }],
    [ids(17, 4), { n: 3, temperature: 0.5 }],
  ]

  test.each([
    ['looked up', (): LoadOptions => ({ speculate: 5 })],
    ['by the model itself', (): LoadOptions => ({ draft: model.folder, speculate: 3 })],
  ])('%s: the same tokens, and in the stats how many were right', async (_, options) => {
    const expected = await Promise.all(
      requests.map(async ([prompt, more]) => (await answer(prompt, more)).choices),
    )
    await withEngine(options(), async (own) => {
      const got = await Promise.all(
        requests.map(async ([prompt, more]) => {
          const { choices } = await own.generate(prompt, { ...SAMPLED, ...more }).result()
          return choices
        }),
      )
      expect(got).toEqual(expected)
      const { drafted, accepted } = own.stats.speculation
      expect(accepted).toBeGreaterThan(0)
      expect(drafted).toBeGreaterThanOrEqual(accepted)
      await own.generate(ids(20), { ...SAMPLED, speculate: 0 }).result()
      expect(own.stats.speculation).toEqual({ drafted, accepted })
    })
  })

  test('without being asked for, nothing is drafted', () => {
    expect(engine.stats.speculation).toEqual({ drafted: 0, accepted: 0 })
  })
})
