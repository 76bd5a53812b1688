/** The life of a request on a real (random, tiny) model: limits, stops, cancelling, several at once, closing, a GPU that fails. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RandomLlama, TEXT_VOCABULARY, writeRandomLlama } from '../test/random-llama.ts'
import { SLOW } from '../test/slow-adapter.ts'
import type { Chunk, GenerateOptions } from './api.ts'
import { Engine } from './engine.ts'
import type { EngineError } from './errors.ts'
import { removeFolder } from './weights/fixture.ts'

const CONTEXT = 1024
let model: RandomLlama
let engine: Engine
beforeAll(async () => {
  model = await writeRandomLlama({ seed: 5, text: true, context: CONTEXT })
  engine = await Engine.load(model.folder)
})
afterAll(async () => {
  await engine?.close()
  if (model) await removeFolder(model.folder)
})

const ids = (length: number): number[] =>
  Array.from({ length }, (_, i) => 2 + ((i * 37) % (TEXT_VOCABULARY - 2)))

const greedy = (length: number, options: GenerateOptions = {}) =>
  engine.generate(ids(length), { temperature: 0, maxTokens: 12, ...options })

const failure = async (work: () => unknown): Promise<EngineError> => {
  try {
    await work()
  } catch (error) {
    return error as EngineError
  }
  throw new Error('It did not fail.')
}

async function chunksOf(generation: AsyncIterable<Chunk>): Promise<Chunk[]> {
  const chunks: Chunk[] = []
  for await (const chunk of generation) chunks.push(chunk)
  return chunks
}

describe('limits and stops', () => {
  test('chunks add up to the result, and only the last says how it ended', async () => {
    const whole = await greedy(9).result()
    const chunks = await chunksOf(greedy(9))
    expect(chunks.flatMap((chunk) => chunk.ids)).toEqual(whole.ids)
    expect(chunks.map((chunk) => chunk.text).join('')).toBe(whole.text)
    expect(chunks.filter((chunk) => chunk.finishReason !== null)).toEqual([chunks.at(-1)])
    const usage = { promptTokens: 9, completionTokens: 12, totalTokens: 21 }
    expect(whole.usage).toEqual({ ...usage, cachedTokens: 0 })
    // All but the last token, which has to be computed.
    expect(chunks.at(-1)).toMatchObject({
      finishReason: 'length',
      usage: { ...usage, cachedTokens: 8 },
    })
  })

  test('the same seed answers the same, another one otherwise', async () => {
    const draw = async (seed: number) =>
      (await engine.generate(ids(9), { temperature: 1.5, maxTokens: 12, seed }).result()).ids
    const first = await draw(1)
    expect(await draw(1)).toEqual(first)
    expect(await draw(2)).not.toEqual(first)
  })

  test('stop ids and stop strings end the answer and are no part of it', async () => {
    const whole = await engine.generate(ids(9), { temperature: 1, seed: 3, maxTokens: 30 }).result()
    const again = (options: GenerateOptions) =>
      engine.generate(ids(9), { temperature: 1, seed: 3, maxTokens: 30, ...options }).result()
    const at = whole.ids.findIndex((id, i) => i > 2 && whole.ids.indexOf(id) === i)
    const byId = await again({ stopTokenIds: [whole.ids[at] ?? -1] })
    expect(byId).toMatchObject({ ids: whole.ids.slice(0, at), finishReason: 'stop' })
    const letter = [...whole.text].find((character) => /[!-~]/.test(character)) ?? ''
    const byText = await again({ stop: [letter] })
    expect(byText.finishReason).toBe('stop')
    expect(byText.text).toBe(whole.text.slice(0, whole.text.indexOf(letter)))
  })

  test('the answer ends where the context does', async () => {
    const { usage, finishReason } = await greedy(CONTEXT - 3, { maxTokens: 100 }).result()
    expect(usage.completionTokens).toBe(3)
    expect(finishReason).toBe('length')
    expect((await greedy(CONTEXT - 3, { maxTokens: 1 }).result()).ids).toHaveLength(1)
  })

  test('what cannot be is refused by name and number', async () => {
    const over = await failure(() => greedy(CONTEXT))
    expect(over).toMatchObject({ code: 'context_length', param: 'prompt' })
    expect(over.message).toContain(String(CONTEXT))
    const far = await failure(() => engine.logits(ids(CONTEXT + 9)))
    expect(far.message).toMatch(new RegExp(`${CONTEXT + 9}.*${CONTEXT}`))
    for (const prompt of [[], '', [TEXT_VOCABULARY], [-1], [0.5]]) {
      const error = await failure(() => engine.generate(prompt))
      expect(error).toMatchObject({ code: 'bad_request', param: 'prompt' })
    }
    for (const wrong of [-1, 0.5, Number.NaN]) {
      const error = await failure(() => engine.logits([1], { greedy: wrong }))
      expect(error).toMatchObject({ code: 'bad_request', param: 'greedy' })
    }
  })
})

describe('cancelling', () => {
  test.each([
    ['while queued', 20, 0],
    ['in prefill', 1000, 1],
    ['in decode', 9, 5],
  ])('%s', async (_, length, steps) => {
    const controller = new AbortController()
    const ahead = steps === 0 ? greedy(9).result() : null
    const begun = engine.stats.steps
    const cancelled = failure(() =>
      greedy(length, { maxTokens: 200, signal: controller.signal, cacheSalt: 'new' }).result(),
    )
    while (engine.stats.steps < begun + steps) await new Promise(setImmediate)
    controller.abort()
    expect(await cancelled).toMatchObject({ code: 'aborted' })
    const at = engine.stats.steps
    await ahead
    expect((await greedy(9).result()).ids).toHaveLength(12)
    // 12 tokens of each that ran to its end, and what was launched already: steps as short as these go up to four ahead.
    expect(engine.stats.steps - at).toBeLessThanOrEqual((ahead ? 24 : 12) + 5)
    expect(engine.stats).toMatchObject({ running: 0, queued: 0, pages: { inUse: 0 } })
  })

  test('before the start: nothing runs', async () => {
    const before = engine.stats.steps
    const error = await failure(() => greedy(9, { signal: AbortSignal.abort() }).result())
    expect(error.code).toBe('aborted')
    expect(engine.stats.steps).toBe(before)
  })

  test('leaving the loop early ends the work', async () => {
    for await (const chunk of greedy(9, { maxTokens: 240 })) {
      expect(chunk.finishReason).toBeNull()
      break
    }
    expect((await greedy(9).result()).ids).toHaveLength(12)
    expect(engine.stats).toMatchObject({ running: 0, pages: { inUse: 0 } })
  })
})

test('several at once and one after another are all answered alike', async () => {
  const expected = (await greedy(70).result()).ids
  const many = await Promise.all([1, 2, 3, 4].map(() => greedy(70).result()))
  for (const { ids: got } of many) expect(got).toEqual(expected)
  // A request that comes in the very turn the loop falls asleep is served too, however many promises lie between.
  for (let turns = 0; turns < 12; turns++) {
    await greedy(3, { maxTokens: 1 }).result()
    for (let i = 0; i < turns; i++) await Promise.resolve()
  }
})

describe('the end of an engine', () => {
  const long = (own: Engine) =>
    failure(() =>
      own.generate(ids(9), { temperature: 0, maxTokens: 240, ignoreEos: true }).result(),
    )

  test('close() ends what is open with `closed`, frees every buffer, and may be called again', async () => {
    const own = await Engine.load(model.folder)
    const [open, waiting] = [long(own), long(own)]
    while (own.stats.steps < 5) await new Promise(setImmediate)
    await Promise.all([own.close(), own.close()])
    expect((await open).code).toBe('closed')
    expect((await waiting).code).toBe('closed')
    expect(own.stats.memory.total).toBe(0)
    expect((await failure(() => own.generate([1]))).code).toBe('closed')
    await own.close()
  })

  test('a folder without a tokenizer takes ids and refuses text', async () => {
    const bare = await writeRandomLlama({ seed: 5, vocabulary: TEXT_VOCABULARY })
    try {
      const own = await Engine.load(bare.folder)
      expect((await own.generate(ids(9), { maxTokens: 2 }).result()).ids).toHaveLength(2)
      const error = await failure(() => own.generate('hello'))
      expect(error.code).toBe('model')
      expect(error.message).toMatch(/tokenizer/)
      await own.close()
    } finally {
      await removeFolder(bare.folder)
    }
  })

  test('loading and closing again and again does not pile up memory', async () => {
    const cycle = async () => (await Engine.load(model.folder)).close()
    // V8's heaps and the drivers' pools fill unevenly and give back late: over 24 loads SwiftShader wanders by 100 MiB up and
    // down. What leaks grows in every round; a round that does not grow shows that nothing as large as its share piles up.
    const [round, rounds] = SLOW ? [4, 6] : [8, 5]
    const growth: number[] = []
    for (let i = 0; i < 4; i++) await cycle()
    do {
      const before = process.memoryUsage().rss
      for (let i = 0; i < round; i++) await cycle()
      growth.push((process.memoryUsage().rss - before) / 2 ** 20)
    } while (Math.min(...growth) > 50 && growth.length < rounds)
    expect(Math.min(...growth), `MiB a round: ${growth}`).toBeLessThan(50)
  })
})
