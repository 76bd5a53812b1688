/** Many requests on one engine: choices, cached tokens, salts, priorities, time limits, the types of the cache. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RandomLlama, TEXT_VOCABULARY, writeRandomLlama } from '../test/random-llama.ts'
import type { Chunk, GenerateOptions, LoadOptions } from './api.ts'
import { Engine } from './engine.ts'
import type { EngineError } from './errors.ts'
import type { AllLoadOptions } from './load-model.ts'
import type { LogitsResult } from './logits.ts'
import { removeFolder } from './weights/fixture.ts'

const CONTEXT = 512
const SLOTS = 4
let model: RandomLlama
let engine: Engine
beforeAll(async () => {
  model = await writeRandomLlama({ seed: 5, text: true, context: CONTEXT })
  engine = await Engine.load(model.folder, { maxSequences: SLOTS })
})
afterAll(async () => {
  await engine?.close()
  if (model) await removeFolder(model.folder)
})

const ids = (length: number, shift = 0): number[] =>
  Array.from({ length }, (_, i) => 2 + ((i * 37 + shift * 11) % (TEXT_VOCABULARY - 2)))

const SAMPLED: GenerateOptions = { temperature: 0.9, seed: 3, maxTokens: 24, ignoreEos: true }
const answer = (prompt: readonly number[], options: GenerateOptions = {}) =>
  engine.generate(prompt, { ...SAMPLED, ...options }).result()

const IN_THREAD: AllLoadOptions = { device: { inThread: true } }

async function withEngine<T>(options: LoadOptions, use: (own: Engine) => Promise<T>): Promise<T> {
  const own = await Engine.load(model.folder, { ...options, ...IN_THREAD })
  try {
    return await use(own)
  } finally {
    await own.close()
  }
}

const failure = async (work: Promise<unknown>): Promise<EngineError> =>
  work.then(
    () => expect.fail('It did not fail.'),
    (error) => error as EngineError,
  )

describe('several choices', () => {
  test('the prompt is computed once, the first is the answer of n = 1, each draws its own', async () => {
    const alone = await answer(ids(40), { cacheSalt: 'alone' })
    const before = engine.stats.prefix
    const { choices, usage, ...first } = await answer(ids(40), { n: 6, cacheSalt: 'six' })
    expect(choices.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5])
    expect(choices[0]?.ids).toEqual(alone.ids)
    expect(first).toMatchObject({ ids: alone.ids, text: alone.text, finishReason: 'length' })
    expect(new Set(choices.map((choice) => choice.ids.join())).size).toBe(6)
    const tokens = { promptTokens: 40, completionTokens: 6 * 24, totalTokens: 40 + 6 * 24 }
    expect(usage).toEqual({ ...tokens, cachedTokens: 0 })
    const { promptTokens, cachedTokens } = engine.stats.prefix
    // Five find all but the last token of what the first computed.
    expect(promptTokens - before.promptTokens).toBe(6 * 40)
    expect(cachedTokens - before.cachedTokens).toBe(5 * 39)
  })

  test('chunks tell which choice they belong to; one of all is the last', async () => {
    const whole = await answer(ids(9), { n: 3 })
    const chunks: Chunk[] = []
    for await (const chunk of engine.generate(ids(9), { ...SAMPLED, n: 3 })) chunks.push(chunk)
    for (const { index, ids: wanted, text } of whole.choices) {
      const own = chunks.filter((chunk) => chunk.index === index)
      expect(own.flatMap((chunk) => chunk.ids)).toEqual(wanted)
      expect(own.map((chunk) => chunk.text).join('')).toBe(text)
      expect(own.filter((chunk) => chunk.finishReason !== null)).toEqual([own.at(-1)])
    }
    expect(chunks.filter(({ usage }) => usage !== null)).toEqual([chunks.at(-1)])
    expect(chunks.at(-1)?.usage).toMatchObject({ promptTokens: 9, completionTokens: 72 })
  })

  test('a stop string ends its choice alone', async () => {
    const { choices } = await answer(ids(9), { n: 3 })
    const letter = [...(choices[1]?.text ?? '')].find((character) => /[!-~]/.test(character)) ?? ''
    const stopped = await answer(ids(9), { n: 3, stop: [letter] })
    for (const [i, { text, finishReason }] of stopped.choices.entries()) {
      const at = choices[i]?.text.indexOf(letter) ?? -1
      expect(finishReason).toBe(at < 0 ? 'length' : 'stop')
      expect(text).toBe(at < 0 ? choices[i]?.text : choices[i]?.text.slice(0, at))
    }
  })
})

describe('cached tokens', () => {
  test('the next turn finds prompt and answer, but for the last token', async () => {
    const first = await answer(ids(50), { cacheSalt: 'chat' })
    expect(first.usage.cachedTokens).toBe(0)
    const next = [...ids(50), ...first.ids, ...ids(20, 1)]
    const second = await answer(next, { cacheSalt: 'chat' })
    // The last id was chosen and never fed.
    expect(second.usage.cachedTokens).toBe(50 + 24 - 1)
    const cold = await answer(next, { cacheSalt: 'another' })
    expect(cold.usage.cachedTokens).toBe(0)
    expect(cold.ids).toEqual(second.ids)
  })

  test('salts keep tenants apart, whether they come at once or one after another', async () => {
    const all = await Promise.all(['a', 'b'].map((cacheSalt) => answer(ids(64, 7), { cacheSalt })))
    all.push(await answer(ids(64, 7), { cacheSalt: 'c' }))
    expect(all.map(({ usage }) => usage.cachedTokens)).toEqual([0, 0, 0])
    expect((await answer(ids(64, 7), { cacheSalt: 'a' })).usage.cachedTokens).toBe(63)
  })
})

test('interactive requests pass batch work, which loses no token by it', async () => {
  const quiet = await Promise.all(
    ids(10).map((_, i) => answer(ids(30, i), { cacheSalt: 'quiet', maxTokens: 150 })),
  )
  const order: string[] = []
  const ends = async (name: string, work: ReturnType<typeof answer>) => {
    const result = await work
    order.push(name)
    return result
  }
  const loud = Array.from({ length: 10 }, (_, i) => {
    const options = { cacheSalt: 'loud', maxTokens: 150, priority: 'batch' } as const
    return ends('batch', answer(ids(30, i), options))
  })
  while (engine.stats.running < SLOTS) await new Promise(setImmediate)
  const { preemptions } = engine.stats
  const urgent = Array.from({ length: SLOTS }, (_, i) => ends('urgent', answer(ids(90, i))))
  await Promise.all([...urgent, ...loud])
  expect(order.slice(0, SLOTS)).toEqual(Array(SLOTS).fill('urgent'))
  // Every place was taken by the batch.
  expect(engine.stats.preemptions - preemptions).toBe(SLOTS)
  for (const [i, work] of loud.entries()) expect((await work).ids).toEqual(quiet[i]?.ids)
})

describe('time limits', () => {
  const long = { maxTokens: 400, cacheSalt: 'long' }

  test('end a request that runs and one that waits, and nobody else', async () => {
    const others = Array.from({ length: SLOTS - 1 }, (_, i) => answer(ids(9, i), long))
    const running = failure(answer(ids(9), { ...long, timeout: 40 }))
    const waiting = failure(answer(ids(9), { ...long, timeout: 20 }))
    for (const [error, limit] of [
      [await running, 40],
      [await waiting, 20],
    ] as const) {
      expect(error.code).toBe('timeout')
      expect(error.message).toMatch(
        new RegExp(`took longer than its ${limit} ms; \\d+ tokens were generated`),
      )
    }
    for (const { ids: got } of await Promise.all(others)) expect(got).toHaveLength(400)
    expect(engine.stats).toMatchObject({ running: 0, queued: 0, pages: { inUse: 0 } })
  })

  test('what was generated by then is handed out first', async () => {
    const chunks: Chunk[] = []
    const read = async (timeout: number): Promise<void> => {
      for await (const chunk of engine.generate(ids(9), { ...SAMPLED, ...long, n: 4, timeout })) {
        chunks.push(chunk)
        while (engine.stats.running > 0) await new Promise(setImmediate)
      }
    }
    // A busy machine may bring nothing in so short a time.
    for (let timeout = 50; chunks.length === 0; timeout *= 2) {
      const error = await failure(read(timeout))
      expect(error).toMatchObject({ code: 'timeout' })
      const last = Object.values(Object.fromEntries(chunks.map((chunk) => [chunk.index, chunk])))
      const told = last.reduce((sum, { tokens }) => sum + tokens, 0)
      const generated = Number(/; (\d+) tokens were generated/.exec(error.message)?.[1])
      // Ids whose text is not whole yet are in no chunk.
      expect(generated - told).toBeGreaterThanOrEqual(0)
      expect(generated - told).toBeLessThan(4 * 4)
    }
  })

  test('are not noticed by who is faster', async () => {
    expect((await answer(ids(9), { timeout: 60_000 })).ids).toHaveLength(24)
  })
})

test('scores of several at once are those of each alone', async () => {
  const alone: LogitsResult[] = []
  for (let i = 0; i < 8; i++) alone.push(await engine.logits(ids(40, i), { all: i % 2 === 0 }))
  const beside = Array.from({ length: 4 }, (_, i) => answer(ids(9, i), { maxTokens: 100 }))
  const together = await Promise.all(
    alone.map((_, i) => engine.logits(ids(40, i), { all: i % 2 === 0 })),
  )
  await Promise.all(beside)
  for (const [i, { last, all }] of together.entries()) {
    expect(last, `${i}`).toEqual(alone[i]?.last)
    expect(all, `${i}`).toEqual(alone[i]?.all)
  }
})

test('an int8 KV cache: about half the bytes, logits that stay near', async () => {
  const exact = await withEngine({ kv: 'f32' }, (own) => own.logits(ids(100)))
  await withEngine({ kv: 'int8', maxSequences: SLOTS }, async (own) => {
    const { last } = await own.logits(ids(100))
    const far = Math.max(...last.map((logit, i) => Math.abs(logit - (exact.last[i] as number))))
    const spread = Math.max(...exact.last) - Math.min(...exact.last)
    expect(far).toBeGreaterThan(0)
    expect(far).toBeLessThan(spread / 50)
    const bytes = ({ memory, pages }: Engine['stats']): number =>
      (memory.byPurpose['kv-cache'] ?? 0) / pages.total
    // Beside the values a scale for each head of a token: heads are small here.
    const share = 0.5 + 2 / model.sizes.headDim
    expect(bytes(own.stats) / bytes(engine.stats)).toBeLessThanOrEqual(share)
  })
})

test('load options out of range are refused by name', async () => {
  const cases: [LoadOptions, string][] = [
    [{ maxSequences: 0 }, 'maxSequences'],
    [{ maxSequences: 2000 }, 'maxSequences'],
    [{ prefillChunk: 0 }, 'prefillChunk'],
    [{ prefillChunk: 5000 }, 'prefillChunk'],
    [{ kvMemory: 1000 }, 'kvMemory'],
    [{ contextLength: 1_000_000 }, 'contextLength'],
    [{ speculate: 17 }, 'speculate'],
    [{ kv: 'int4' as 'int8' }, 'kv'],
    [{ activations: 'f16' as 'int8' }, 'activations'],
  ]
  for (const [options, param] of cases) {
    const error = await failure(Engine.load(model.folder, { ...options, ...IN_THREAD }))
    expect(error, param).toMatchObject({ code: 'bad_request', param })
  }
})
