/** Completions: a text or ids, several prompts in one request, and how their generations end as one answer. */
import { expect, test } from 'vitest'
import type { Chunk, Generation } from '../../engine/api.ts'
import { EngineError } from '../../engine/errors.ts'
import { frames, json, testApp, type WireError } from '../../test/server-app.ts'
import { type CompletionResponse, completionResponse } from '../contract/completions.ts'
import { CACHED_TOKENS, FakeEngine } from '../fake-engine.ts'
import type { Answered } from '../observe/answered.ts'
import { JointGeneration } from './joint-generation.ts'

test('completions take a text or ids, and 16 tokens by default', async () => {
  const { engine, post } = testApp({ words: ['a', 'b'] })
  for (const prompt of ['x', ['x'], [120], [[120]]]) {
    const response = await post('/v1/completions', { prompt })
    const body = await json<object>(response)
    expect(completionResponse.strict().safeParse(body).error).toBeUndefined()
    expect(body).toMatchObject({
      object: 'text_completion',
      choices: [{ text: 'ab', finish_reason: 'stop' }],
    })
  }
  expect(engine.calls.map(({ prompt }) => prompt)).toEqual(['x', 'x', [120], [120]])
  expect(engine.calls[0]?.options.maxTokens).toBe(16)
})

test('completions stream text chunks', async () => {
  const { post } = testApp({ words: ['a', 'b'] })
  const body = { prompt: 'x', stream: true, stream_options: { include_usage: true } }
  const all = await frames(await post('/v1/completions', body))
  expect(all.pop()).toBe('[DONE]')
  expect(all).toMatchObject([
    { choices: [{ text: 'a', finish_reason: null }], usage: null },
    { choices: [{ text: 'b', finish_reason: 'stop' }], usage: null },
    { choices: [], usage: { total_tokens: 3 } },
  ])
})

test.each([
  [['x', 'yz', 'w']],
  [
    [
      [1, 2],
      [3, 4, 5],
      [6, 7],
    ],
  ],
])('several prompts %j × n choices are numbered prompt by prompt', async (prompt) => {
  const answered: Answered[] = []
  const onAnswered = (told: Answered) => answered.push(told)
  const { engine, lifecycle, post } = testApp({ words: ['a', 'b'] }, { onAnswered })
  const response = await post('/v1/completions', { prompt, n: 2, max_tokens: 1, seed: 5 })
  const { choices, usage } = await json<CompletionResponse>(response)
  expect(choices.map(({ index, text, finish_reason }) => [index, text, finish_reason])).toEqual(
    [0, 1, 2, 3, 4, 5].map((index) => [index, 'ab'[index % 2], 'length']),
  )
  const promptTokens = prompt.reduce((sum, one) => sum + one.length, 0)
  expect(usage).toEqual({
    prompt_tokens: promptTokens,
    completion_tokens: 6,
    total_tokens: promptTokens + 6,
    prompt_tokens_details: { cached_tokens: 3 * CACHED_TOKENS },
  })
  expect(engine.calls.map((call) => call.prompt)).toEqual(prompt)
  // Told of once, with the tokens of all.
  expect(answered).toMatchObject([
    { outcome: 'completed', promptTokens, completionTokens: 6, cachedTokens: 3 * CACHED_TOKENS },
  ])
  expect(lifecycle.underWay).toBe(0)
})

test('several prompts stream side by side, with one reason a choice and the usage of all last', async () => {
  const { post } = testApp({ words: ['a', 'b'] })
  const body = { prompt: ['x', 'y'], n: 2, stream: true, stream_options: { include_usage: true } }
  const all = await frames(await post('/v1/completions', body))
  expect(all.pop()).toBe('[DONE]')
  expect(all.pop()).toMatchObject({
    choices: [],
    usage: { prompt_tokens: 2, completion_tokens: 8, total_tokens: 10 },
  })
  const chunks = all as CompletionResponse[]
  expect(chunks.map(({ usage }) => usage)).toEqual(chunks.map(() => null))
  const choices = chunks.flatMap((chunk) => chunk.choices)
  for (const index of [0, 1, 2, 3]) {
    const own = choices.filter((choice) => choice.index === index)
    expect(own.map(({ text }) => text).join('')).toBe(index % 2 === 0 ? 'ab' : 'ba')
    expect(own.map(({ finish_reason }) => finish_reason)).toEqual([null, 'stop'])
  }
})

test('one prompt of several that is too long refuses the request, by its place', async () => {
  const { engine, post } = testApp({ contextLength: 4 })
  const response = await post('/v1/completions', { prompt: ['x', 'far too long'], stream: true })
  expect(response.status).toBe(400)
  const { error } = await json<WireError>(response)
  expect(error).toMatchObject({ code: 'context_length_exceeded', param: 'prompt[1]' })
  expect(error.message).toMatch(/^prompt\[1\]: .*12.*4/)
  expect(engine.tokens).toBe(0)
})

test('a client that leaves several prompts leaves all of them', async () => {
  const { engine, lifecycle, post } = testApp({ rate: 100, words: Array(1000).fill('a') })
  const body = { prompt: ['x', 'y', 'z'], stream: true, max_tokens: 1000 }
  const reader = (await post('/v1/completions', body)).body?.getReader()
  for (let read = 0; read < 8; read++) await reader?.read()
  await reader?.cancel()
  await expect.poll(() => engine.stats.running).toBe(0)
  expect(engine.aborted).toBe(3)
  expect(lifecycle.underWay).toBe(0)
})

test('an error of one prompt ends the others, iterated or not', async () => {
  for (const how of ['result', 'iterate'] as const) {
    const failing = new FakeEngine({ failAfter: { tokens: 1, error: new EngineError('gpu', '!') } })
    const fine = new FakeEngine({ words: Array(100_000).fill('a') })
    const joint = new JointGeneration([fine.generate('x'), failing.generate('y')], 1)
    const run = async () => {
      if (how === 'result') await joint.result()
      else for await (const _ of joint);
    }
    await expect(run()).rejects.toThrow('!')
    await expect.poll(() => fine.stats.running).toBe(0)
    expect(fine.tokens).toBeLessThan(10)
  }
})

test('a part is asked for its next chunk only when its last one was taken', async () => {
  let made = 0
  async function* endless(): AsyncGenerator<Chunk, void> {
    const piece = { index: 0, text: 'a', ids: [1], logprobs: null, finishReason: null, usage: null }
    for (;;) yield { ...piece, tokens: ++made }
  }
  const part: Generation = {
    promptTokens: 1,
    mostTokens: 9,
    [Symbol.asyncIterator]: endless,
    result: () => Promise.reject(new Error('not asked for')),
  }
  const chunks = new JointGeneration([part], 1)[Symbol.asyncIterator]()
  for (let taken = 1; taken <= 3; taken++) {
    await chunks.next()
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(made).toBe(taken)
  }
  await chunks.return()
})

const refusals: [object, string, string][] = [
  [{ prompt: '' }, 'prompt', 'invalid_parameter'],
  [{ prompt: [] }, 'prompt', 'invalid_parameter'],
  [{ prompt: ['a', ''] }, 'prompt[1]', 'invalid_parameter'],
  [{ prompt: ['a', [1]] }, 'prompt', 'invalid_parameter'],
  [{ prompt: [-1] }, 'prompt[0]', 'invalid_parameter'],
  [{ prompt: Array(65).fill('a') }, 'prompt', 'invalid_parameter'],
  [{ prompt: [1e9] }, 'prompt[0]', 'invalid_parameter'],
  [{ prompt: [[1], [2, 1e9]] }, 'prompt[1][1]', 'invalid_parameter'],
  [{ prompt: Array(64).fill('a'), n: 17 }, 'n', 'invalid_parameter'],
  [{ prompt: 'x', best_of: 2 }, 'best_of', 'unsupported_parameter'],
  [{ prompt: 'x', n: 2, best_of: 3 }, 'best_of', 'unsupported_parameter'],
  [{ prompt: 'x', echo: true }, 'echo', 'unsupported_parameter'],
  [{ prompt: 'x', suffix: 'y' }, 'suffix', 'unsupported_parameter'],
  [{ prompt: 'x', logprobs: 0 }, 'logprobs', 'unsupported_parameter'],
  [{}, 'prompt', 'missing_parameter'],
]

test.each(refusals)('%j is refused by name', async (body, param, code) => {
  const { engine, post } = testApp()
  const response = await post('/v1/completions', body)
  expect(response.status).toBe(400)
  const { error } = await json<WireError>(response)
  expect(error).toMatchObject({ type: 'invalid_request_error', code, param })
  expect(error.message).toMatch(/^The parameter '\S+' (is|must|names) ?.*\.$/)
  expect(error.message).toContain(`'${param}'`)
  expect(engine.calls).toEqual([])
})
