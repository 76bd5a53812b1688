/** `/generate`: the contract's fields, defaults and frames. */

import { expect, test } from 'vitest'
import { EngineError } from '../../engine/errors.ts'
import { frames, json, testApp, type WireError } from '../../test/server-app.ts'
import { ANYONE, type Caller } from '../auth/caller.ts'
import {
  type GenerateFrame,
  type GenerateResponse,
  generateFrame,
  generateResponse,
} from '../contract/generate.ts'
import { CACHED_TOKENS } from '../fake-engine.ts'

test('cached prefixes are shared among the requests of one caller only', async () => {
  const saltOf = async (caller: Caller, cache_salt?: string) => {
    const { engine, post } = testApp({}, { identify: () => caller })
    await post('/generate', { prompt: 'x', cache_salt })
    return engine.calls[0]?.options.cacheSalt
  }
  expect(await saltOf(ANYONE)).toBeUndefined()
  expect(await saltOf({ ...ANYONE }, 'a')).toBe('a')
  const salts = [
    await saltOf({ ...ANYONE, id: 'key_1' }),
    await saltOf({ ...ANYONE, id: 'key_2' }),
    await saltOf({ ...ANYONE, id: 'key_1' }, 'a'),
  ]
  expect(new Set(salts).size).toBe(3)
  expect(salts).not.toContain(undefined)
})

test('answers in the contract’s shape, with its defaults', async () => {
  const { engine, post } = testApp({ words: ['a', 'b', 'c.'] })
  const response = await post('/generate', { prompt: 'Hello' })
  expect(response.status).toBe(200)
  const body = await json<GenerateResponse>(response)
  expect(generateResponse.strict().safeParse(body).error).toBeUndefined()
  expect(body).toMatchObject({
    generated_text: 'abc.',
    tokens_generated: 3,
    model_version: 'fake/tiny-1',
    finish_reason: 'stop',
    usage: { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 },
  })
  const { signal, ...options } = engine.calls[0]?.options ?? {}
  expect(signal).toBeInstanceOf(AbortSignal)
  expect(options).toEqual({
    maxTokens: 100,
    temperature: 0.7,
    topP: 0.9,
    topK: 50,
    repetitionPenalty: 1,
  })
})

test('every field reaches the engine', async () => {
  const { engine, post } = testApp()
  const response = await post('/generate', {
    model: 'tiny',
    prompt: 'x',
    max_tokens: 4,
    temperature: 0,
    top_p: 0,
    top_k: -1,
    min_p: 0.1,
    repetition_penalty: 1.5,
    presence_penalty: -1,
    frequency_penalty: 2,
    seed: -1,
    stop_token_ids: [3],
    ignore_eos: true,
    stop_sequences: ['lamp'],
    return_full_text: false,
    stream: false,
  })
  expect(response.status).toBe(200)
  const { signal: _, ...options } = engine.calls[0]?.options ?? {}
  expect(options).toEqual({
    maxTokens: 4,
    temperature: 0,
    topP: 1e-9,
    topK: 0,
    minP: 0.1,
    repetitionPenalty: 1.5,
    presencePenalty: -1,
    frequencyPenalty: 2,
    seed: 0xffffffff,
    stopTokenIds: [3],
    ignoreEos: true,
    stop: ['lamp'],
  })
})

test('null means the default, and length is said', async () => {
  const { post } = testApp()
  const response = await post('/generate', { prompt: 'x', temperature: null, max_tokens: 2 })
  expect(await json(response)).toMatchObject({
    generated_text: 'Once upon',
    finish_reason: 'length',
  })
})

test('return_full_text puts the prompt before the text and leaves the usage', async () => {
  const { post } = testApp({ words: ['b', 'c'] })
  const whole = await post('/generate', { prompt: 'a', return_full_text: true })
  expect(await json(whole)).toMatchObject({ generated_text: 'abc', usage: { total_tokens: 3 } })
  const streamed = await post('/generate', { prompt: 'a', return_full_text: true, stream: true })
  const tokens = (await frames(streamed))
    .slice(0, -1)
    .map((frame) => (frame as GenerateFrame).token)
  expect(tokens).toEqual(['ab', 'c'])
})

test('streams frames whose index rises, the last with reason and usage, then [DONE]', async () => {
  const { post } = testApp({ words: ['Once', '', ' upon', ' 💡'] })
  const response = await post('/generate', { prompt: 'x', stream: true })
  expect(response.headers.get('content-type')).toMatch('text/event-stream')
  const all = await frames(response)
  expect(all).toEqual([
    { token: 'Once', index: 0 },
    { token: ' upon', index: 2 },
    {
      token: ' 💡',
      index: 3,
      finish_reason: 'stop',
      usage: {
        prompt_tokens: 1,
        completion_tokens: 4,
        total_tokens: 5,
        prompt_tokens_details: { cached_tokens: CACHED_TOKENS },
      },
    },
    '[DONE]',
  ])
  for (const frame of all.slice(0, -1)) {
    expect(generateFrame.strict().safeParse(frame).error).toBeUndefined()
  }
})

test('the index rises even when the last chunk brings no token', async () => {
  const { generateFrames } = await import('./generate.ts')
  const usage = { promptTokens: 1, cachedTokens: 0, completionTokens: 1, totalTokens: 2 }
  const piece = { index: 0, logprobs: null, tokens: 1 }
  const chunks = [
    { ...piece, text: 'a', ids: [1], finishReason: null, usage: null },
    { ...piece, text: '', ids: [], finishReason: 'stop' as const, usage },
  ]
  const frames = chunks.flatMap(generateFrames(''))
  expect(frames.map(({ index }) => index)).toEqual([0, 1])
})

test('an error at once has a status; a later one is a frame, without [DONE]', async () => {
  const early = testApp({ contextLength: 4 })
  const refused = await early.post('/generate', { prompt: 'too long', stream: true })
  expect(refused.status).toBe(422)
  const { error } = await json<WireError>(refused)
  expect(error.code).toBe('context_length_exceeded')
  expect(error.message).toContain('8')
  expect(error.message).toContain('4')

  const failure = new EngineError('gpu', 'vkDeviceLost in /home/somebody/driver')
  const late = testApp({ failAfter: { tokens: 2, error: failure } })
  const response = await late.post('/generate', { prompt: 'x', stream: true })
  expect(response.status).toBe(200)
  const all = await frames(response)
  expect(all).toHaveLength(3)
  const last = all[2] as WireError
  expect(last.error).toMatchObject({ type: 'model_error', code: 'gpu_error', param: null })
  expect(JSON.stringify(all)).not.toContain('/home')
  expect(late.logged.join()).toContain('vkDeviceLost')
  expect(late.lifecycle.phase).toBe('unhealthy')
  expect(late.lifecycle.underWay).toBe(0)
})

test('cancelling the body aborts the generation', async () => {
  const { engine, lifecycle, post } = testApp({ rate: 100, words: Array(1000).fill('a') })
  const response = await post('/generate', { prompt: 'x', stream: true, max_tokens: 1000 })
  const reader = response.body?.getReader()
  for (let read = 0; read < 4; read++) await reader?.read()
  const before = engine.tokens
  await reader?.cancel()
  await expect.poll(() => engine.stats.running).toBe(0)
  expect(engine.tokens).toBeLessThanOrEqual(before + 1)
  expect(lifecycle.underWay).toBe(0)
})

test('a request’s own signal aborts whole answers too', async () => {
  const { engine, lifecycle, post } = testApp({ rate: 50, words: Array(1000).fill('a') })
  const controller = new AbortController()
  const answer = post('/generate', { prompt: 'x' }, { signal: controller.signal })
  await expect.poll(() => engine.tokens).toBeGreaterThan(0)
  controller.abort()
  expect((await answer).status).toBe(499)
  expect(engine.aborted).toBe(1)
  expect(lifecycle.underWay).toBe(0)
})

test('comments fill a long prefill, and the first byte comes at once', async () => {
  const { post } = testApp({ prefill: 400, words: ['a'] }, { keepAliveMs: 50 })
  const started = performance.now()
  const response = await post('/generate', { prompt: 'x', stream: true })
  const reader = response.body?.getReader()
  const first = await reader?.read()
  expect(performance.now() - started).toBeLessThan(150)
  expect(new TextDecoder().decode(first?.value)).toBe(': keep-alive\n\n')
  let text = ''
  for (let step = await reader?.read(); step && !step.done; step = await reader?.read()) {
    text += new TextDecoder().decode(step.value)
  }
  expect(text.match(/: keep-alive/g)?.length).toBeGreaterThanOrEqual(3)
  expect(text).toMatch(/data: \[DONE\]\n\n$/)
})
