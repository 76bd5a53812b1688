/** Asking many prompts: so many at once, what waits for all, what is one prompt's own, and what ends it. */
import { describe, expect, test } from 'vitest'
import { EngineError } from '../../engine/errors.ts'
import type { Piece } from '../backend/backend.ts'
import { ServerError, type ServerErrorFacts } from '../backend/server-error.ts'
import { Pause } from './pause.ts'
import type { Prompt } from './prompts.ts'
import type { ResultLine } from './result-line.ts'
import { type RunOptions, runBatch } from './run.ts'

const usage = { promptTokens: 2, cachedTokens: 0, completionTokens: 3, totalTokens: 5 }
const refused = (facts: ServerErrorFacts) => new ServerError(`status ${facts.status}`, facts)
const busy = (retryAfter: number | null = 0) => refused({ status: 429, retryAfter, mayRetry: true })
const tick = () => new Promise((resolve) => setImmediate(resolve))

/** Runs prompts; `fail` says what happens to the nth asking of a prompt. */
async function run(
  texts: readonly string[],
  fail: (text: string, times: number) => unknown = () => null,
  changes: Partial<RunOptions> = {},
) {
  const asked = new Map<string, number>()
  const results: ResultLine[] = []
  const waits: (number | null)[] = []
  const counts = { now: 0, most: 0, tokens: 0 }
  async function* ask({ text }: Prompt, signal: AbortSignal): AsyncGenerator<Piece> {
    const times = (asked.get(text) ?? 0) + 1
    asked.set(text, times)
    counts.most = Math.max(counts.most, ++counts.now)
    try {
      yield { text: 'an', finishReason: null, usage: null }
      await tick()
      signal.throwIfAborted()
      const error = fail(text, times)
      if (error) throw error
      yield { text: ' answer', finishReason: 'stop', usage }
    } finally {
      counts.now--
    }
  }
  const prompts = texts.map((text, index) => ({ index, text, returnFullText: false, options: {} }))
  const work = runBatch({
    prompts,
    width: 4,
    ask,
    model: () => 'm',
    pause: new Pause({ firstMs: 1, onWait: (ms) => waits.push(ms) }),
    maxRetries: 2,
    retryMs: 1,
    record: async (result) => void results.push(result),
    onTokens: (count) => (counts.tokens += count),
    signal: new AbortController().signal,
    ...changes,
  })
  const error = await work.then(
    () => null,
    (cause: unknown) => cause,
  )
  return { results, asked, waits, counts, error }
}
const texts = Array.from({ length: 20 }, (_, i) => `prompt ${i}`)

test('every prompt is asked once, so many at once, and its result recorded', async () => {
  const { results, asked, counts, error } = await run(texts)
  expect(error).toBe(null)
  expect(counts.most).toBe(4)
  expect([...asked.values()]).toEqual(texts.map(() => 1))
  expect(results.map(({ index }) => index).sort((a, b) => a - b)).toEqual([...texts.keys()])
  const { generation_time: _, ...first } = results[0] as Extract<
    ResultLine,
    { status: 'completed' }
  >
  expect(first).toEqual({
    index: 0,
    status: 'completed',
    prompt: 'prompt 0',
    generated_text: 'an answer',
    tokens_generated: 3,
    finish_reason: 'stop',
    model_version: 'm',
    usage: { prompt_tokens: 2, completion_tokens: 3, total_tokens: 5 },
  })
  // The server's count, not that of the pieces.
  expect(counts.tokens).toBe(60)
})

describe('what is one prompt’s own', () => {
  const tooLong = new EngineError('context_length', 'The prompt has 9000 tokens.')
  test.each([
    [tooLong, 'context_length'],
    [refused({ status: 422, code: 'context_length_exceeded' }), 'context_length_exceeded'],
    [refused({ status: 500, code: 'gpu_error' }), 'gpu_error'],
  ])('%s is its result, and the others go on', async (failure, code) => {
    const { results, asked, counts } = await run(texts, (text) =>
      text === 'prompt 7' ? failure : null,
    )
    expect(results).toHaveLength(20)
    const { index, text } = { index: 7, text: 'prompt 7' }
    expect(results.filter(({ status }) => status === 'failed')).toEqual([
      { index, status: 'failed', prompt: text, error: failure.message, code },
    ])
    expect(asked.get('prompt 7')).toBe(1)
    expect(counts.tokens).toBe(57)
  })

  const cut = refused({ code: 'UND_ERR_SOCKET' })
  test('connection is tried again, so many times', async () => {
    const twice = await run(texts, (_, times) => (times < 3 ? cut : null))
    expect(twice.results.every(({ status }) => status === 'completed')).toBe(true)
    const always = await run(texts, (text) => (text === 'prompt 7' ? cut : null))
    expect(always.asked.get('prompt 7')).toBe(3)
    expect(always.results.find(({ index }) => index === 7)).toMatchObject({
      status: 'failed',
      code: 'connection',
    })
  })
})

describe('a server that is busy', () => {
  test('is waited for by all, as long as it says', async () => {
    let refusals = 0
    const { results, waits, error } = await run(texts, () => (refusals++ < 6 ? busy(0.02) : null))
    expect(error).toBe(null)
    expect(results.every(({ status }) => status === 'completed')).toBe(true)
    // Those who were under way heard the same: one wait.
    expect(waits[0]).toBe(20)
    expect(waits.filter((wait) => wait !== null).length).toBeLessThan(6)
    expect(waits.at(-1)).toBe(null)
  })

  test.each([
    ['is not there', refused({ code: 'ECONNREFUSED' })],
    ['goes down in the middle of an answer', refused({ code: 'draining' })],
    ['has a full queue', new EngineError('overloaded', 'The queue is full.')],
  ])('or %s is waited for too', async (_, failure) => {
    const { results, waits } = await run(texts, (__, times) => (times === 1 ? failure : null))
    expect(results).toHaveLength(20)
    expect(waits.length).toBeGreaterThan(0)
  })

  test('for good is given up, and what was answered is kept', async () => {
    const fail = (text: string) => (text === 'prompt 0' ? null : busy())
    const { results, error, waits } = await run(texts, fail)
    expect(error).toMatchObject({ status: 429 })
    expect(results.map(({ index }) => index)).toEqual([0])
    expect(waits.filter((wait) => wait !== null).length).toBeGreaterThanOrEqual(10)
  })
})

test.each([
  new EngineError('gpu', 'device lost'),
  new EngineError('closed', 'The engine was closed.'),
  refused({ status: 401 }),
  refused({ status: 404, code: 'model_not_found' }),
  refused({ status: 503, code: 'insufficient_memory', mayRetry: false }),
  new TypeError('a bug'),
])('%s ends it: it would be alike for all', async (failure) => {
  const { results, error, counts } = await run(texts, (text) =>
    text === 'prompt 9' ? failure : null,
  )
  expect(error).toBe(failure)
  expect(results.length).toBeLessThan(20)
  expect(results.every(({ status }) => status === 'completed')).toBe(true)
  expect(counts.now).toBe(0)
})

test('a signal ends it: what was answered is recorded, what was under way is not', async () => {
  const controller = new AbortController()
  const seen: ResultLine[] = []
  const { error, counts } = await run(texts, undefined, {
    signal: controller.signal,
    async record(result) {
      seen.push(result)
      if (seen.length === 6) controller.abort()
    },
  })
  expect(error).toMatchObject({ name: 'AbortError' })
  expect(seen.length).toBeGreaterThanOrEqual(6)
  expect(seen.length).toBeLessThan(20)
  expect(counts.now).toBe(0)
})

test('a result that cannot be written ends it', async () => {
  const full = new Error('ENOSPC')
  const { error } = await run(texts, undefined, { record: () => Promise.reject(full) })
  expect(error).toBe(full)
})
