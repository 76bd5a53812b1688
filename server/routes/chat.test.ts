/** Chat and completions: OpenAI's shapes, whole and streamed, and each dialect's defaults. */

import { expect, test } from 'vitest'
import { EngineError } from '../../engine/errors.ts'
import { frames, json, testApp, type WireError } from '../../test/server-app.ts'
import { type ChatChunk, type ChatResponse, chatChunk, chatResponse } from '../contract/chat.ts'
import { CACHED_TOKENS } from '../fake-engine.ts'

const messages = [{ role: 'user', content: 'Hello' }]
const BOTH = ['/chat/completions', '/v1/chat/completions']

test.each(BOTH)('%s answers in OpenAI’s shape', async (path) => {
  const { post } = testApp({ words: ['Hi', '!'] })
  const response = await post(path, { model: 'fake/tiny-1', messages })
  expect(response.status).toBe(200)
  const body = await json<ChatResponse>(response)
  expect(chatResponse.strict().safeParse(body).error).toBeUndefined()
  expect(body.id).toMatch(/^chatcmpl-/)
  expect(body.model).toBe('fake/tiny-1')
  expect(body.choices).toEqual([
    {
      index: 0,
      message: { role: 'assistant', content: 'Hi!', refusal: null },
      logprobs: null,
      finish_reason: 'stop',
    },
  ])
  expect(body.usage.completion_tokens).toBe(2)
})

test('defaults differ by dialect', async () => {
  const { engine, post } = testApp({ defaults: { temperature: 0.2, topK: 7 } })
  for (const path of BOTH) await post(path, { messages })
  const [root, v1] = engine.calls.map(({ options: { signal: _, ...rest } }) => rest)
  expect(root).toEqual({
    maxTokens: 100,
    temperature: 0.7,
    topP: 0.9,
    topK: 50,
    repetitionPenalty: 1,
  })
  expect(v1).toEqual({ temperature: 0.2, topP: 1, topK: 7 })
})

test('streams role, text, reason, then [DONE]; no usage unless asked', async () => {
  const { post } = testApp({ words: ['Hi', '', '!'] })
  const all = await frames(await post('/v1/chat/completions', { messages, stream: true }))
  expect(all.pop()).toBe('[DONE]')
  const chunks = all as ChatChunk[]
  for (const chunk of chunks) {
    expect(chatChunk.strict().safeParse(chunk).error).toBeUndefined()
    expect(chunk).not.toHaveProperty('usage')
    expect(chunk.id).toBe(chunks[0]?.id)
  }
  expect(chunks.map(({ choices }) => choices[0]?.delta)).toEqual([
    { role: 'assistant', content: '' },
    { content: 'Hi' },
    { content: '!' },
    {},
  ])
  expect(chunks.map(({ choices }) => choices[0]?.finish_reason)).toEqual([null, null, null, 'stop'])
})

test('the server’s time limit goes to the engine, and a request that outruns it is a 504 not to be retried', async () => {
  const failure = new EngineError('timeout', 'The request took longer than its 250 ms.')
  const { engine, post } = testApp({ failAfter: { tokens: 0, error: failure } }, { timeoutMs: 250 })
  const response = await post('/v1/chat/completions', {
    messages: [{ role: 'user', content: 'x' }],
  })
  expect(engine.calls[0]?.options.timeout).toBe(250)
  expect(response.status).toBe(504)
  expect(response.headers.get('x-should-retry')).toBe('false')
  expect((await json<WireError>(response)).error).toMatchObject({
    type: 'timeout_error',
    code: 'timeout',
  })
})

test('include_usage: null on every chunk, counts on a last one without choices', async () => {
  const { post } = testApp({ words: ['Hi', '!'] })
  const body = { messages, stream: true, stream_options: { include_usage: true } }
  const all = await frames(await post('/v1/chat/completions', body))
  expect(all.pop()).toBe('[DONE]')
  const last = all.pop() as ChatChunk
  expect(last.choices).toEqual([])
  expect(last.usage).toEqual({
    prompt_tokens: 12,
    completion_tokens: 2,
    total_tokens: 14,
    prompt_tokens_details: { cached_tokens: CACHED_TOKENS },
  })
  expect((all as ChatChunk[]).map(({ usage }) => usage)).toEqual(all.map(() => null))
})

test('messages reach the engine as text, developer as system', async () => {
  const { engine, post } = testApp()
  const response = await post('/v1/chat/completions', {
    messages: [
      {
        role: 'developer',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
      },
      { role: 'user', content: 'x', name: 'ann', cache_control: { type: 'ephemeral' } },
      { role: 'assistant', content: null, refusal: null, tool_calls: [], annotations: [] },
    ],
    max_completion_tokens: 1,
    stop: 'lamp',
    user: 'u',
    metadata: { a: { b: 1 } },
    n: 1,
    tools: [],
    logit_bias: {},
    response_format: { type: 'text' },
  })
  expect(response.status).toBe(200)
  expect(engine.calls[0]).toMatchObject({
    prompt: [
      { role: 'system', content: 'a\nb' },
      { role: 'user', content: 'x', name: 'ann' },
      { role: 'assistant', content: '' },
    ],
    options: { maxTokens: 1, stop: ['lamp'] },
  })
})

const refusals: [object, string, string][] = [
  [{ n: 0 }, 'n', 'invalid_parameter'],
  [{ n: 129 }, 'n', 'invalid_parameter'],
  [{ tools: [{ type: 'function' }] }, 'tools', 'unsupported_parameter'],
  [{ response_format: { type: 'json_object' } }, 'response_format', 'unsupported_parameter'],
  [{ logprobs: 1 }, 'logprobs', 'invalid_parameter'],
  [{ top_logprobs: 2 }, 'top_logprobs', 'invalid_parameter'],
  [{ logprobs: true, top_logprobs: 21 }, 'top_logprobs', 'invalid_parameter'],
  [{ logit_bias: { 5: 101 } }, 'logit_bias.5', 'invalid_parameter'],
  [{ logit_bias: { five: 1 } }, 'logit_bias.five', 'invalid_parameter'],
  [{ logit_bias: { 9999999: 1 } }, 'logit_bias', 'invalid_parameter'],
  [{ stop_token_ids: [9999999] }, 'stop_token_ids[0]', 'invalid_parameter'],
  [{ typical_p: 0 }, 'typical_p', 'invalid_parameter'],
  [{ priority: 'high' }, 'priority', 'invalid_parameter'],
  [{ cache_salt: 1 }, 'cache_salt', 'invalid_parameter'],
  [{ colour: 'red' }, 'colour', 'unknown_parameter'],
  [{ temperature: 2.1 }, 'temperature', 'invalid_parameter'],
  [{ temperature: '1' }, 'temperature', 'invalid_parameter'],
  [{ max_tokens: 0 }, 'max_tokens', 'invalid_parameter'],
  [{ max_tokens: 2, max_completion_tokens: 3 }, 'max_completion_tokens', 'invalid_parameter'],
  [{ stop: [''] }, 'stop[0]', 'invalid_parameter'],
  [{ stop: Array(17).fill('a') }, 'stop', 'invalid_parameter'],
  [{ messages: [] }, 'messages', 'invalid_parameter'],
  [{ messages: undefined }, 'messages', 'missing_parameter'],
  [{ messages: [{ role: 'tool', content: 'x' }] }, 'messages[0].role', 'invalid_parameter'],
  [{ messages: [{ role: 'user' }] }, 'messages[0].content', 'missing_parameter'],
  [{ messages: [{ content: 'x' }] }, 'messages[0].role', 'missing_parameter'],
  [
    { messages: [{ role: 'user', content: 'x', mood: 1 }] },
    'messages[0].mood',
    'unknown_parameter',
  ],
  [
    { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: {} }] }] },
    'messages[0].content',
    'invalid_parameter',
  ],
  [{ stream_options: { include_usage: 1 } }, 'stream_options.include_usage', 'invalid_parameter'],
]

test.each(refusals)('%j is refused by name', async (extra, param, code) => {
  const { engine, post } = testApp()
  for (const [path, status, type] of [
    ['/chat/completions', 422, 'validation_error'],
    ['/v1/chat/completions', 400, 'invalid_request_error'],
  ] as const) {
    const response = await post(path, { messages, ...extra })
    expect(response.status).toBe(status)
    const { error } = await json<WireError>(response)
    expect(error).toMatchObject({ type, code, param })
    expect(error.message).toContain(`'${param}'`)
    expect(error.request_id).toBe(response.headers.get('x-request-id'))
  }
  expect(engine.calls).toEqual([])
})
