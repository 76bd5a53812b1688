/** Chat with several choices and log-probabilities, whole and streamed. */
import { expect, test } from 'vitest'
import { frames, json, testApp, type WireError } from '../../test/server-app.ts'
import type { ChatChunk, ChatResponse } from '../contract/chat.ts'
import type { TokenLogprobs } from '../contract/logprobs.ts'
import { FIRST_WORD } from '../fake-engine.ts'

const messages = [{ role: 'user', content: 'Hello' }]
const WORDS = ['a', 'é', '💡']

test('n answers come in one body, each by its index', async () => {
  const { engine, post } = testApp({ words: WORDS })
  const body = await json<ChatResponse>(await post('/v1/chat/completions', { messages, n: 3 }))
  expect(body.choices.map(({ index, message }) => [index, message.content])).toEqual([
    [0, 'aé💡'],
    [1, 'é💡a'],
    [2, '💡aé'],
  ])
  expect(body.usage.completion_tokens).toBe(9)
  expect(engine.calls[0]?.options.n).toBe(3)
})

test('a stream of n: every role first, text by index, one reason a choice, usage last', async () => {
  const { post } = testApp({ words: WORDS })
  const body = { messages, n: 3, stream: true, stream_options: { include_usage: true } }
  const all = await frames(await post('/v1/chat/completions', body))
  expect(all.pop()).toBe('[DONE]')
  const usage = all.pop() as ChatChunk
  expect(usage).toMatchObject({ choices: [], usage: { completion_tokens: 9 } })
  const choices = (all as ChatChunk[]).flatMap((chunk) => chunk.choices)
  expect(choices.slice(0, 3).map(({ index, delta }) => [index, delta])).toEqual(
    [0, 1, 2].map((index) => [index, { role: 'assistant', content: '' }]),
  )
  for (const index of [0, 1, 2]) {
    const own = choices.filter((choice) => choice.index === index)
    const text = own.map(({ delta }) => delta.content ?? '').join('')
    expect(text).toBe(['aé💡', 'é💡a', '💡aé'][index])
    expect(own.filter(({ delta }) => delta.role !== undefined)).toHaveLength(1)
    const reasons = own.map(({ finish_reason }) => finish_reason)
    expect(reasons.filter((reason) => reason !== null)).toEqual(['stop'])
    expect(reasons.at(-1)).toBe('stop')
  }
})

test('logprobs tell each token as text and bytes, top_logprobs the likeliest beside it', async () => {
  const { post } = testApp({ words: WORDS })
  const asked = { messages, logprobs: true, top_logprobs: 2 }
  const body = await json<ChatResponse>(await post('/v1/chat/completions', asked))
  const content = body.choices[0]?.logprobs?.content ?? []
  expect(content.map(({ token }) => token)).toEqual(WORDS)
  expect(content.map(({ bytes }) => bytes)).toEqual(WORDS.map((word) => [...Buffer.from(word)]))
  for (const { token, logprob, top_logprobs } of content) {
    expect(logprob).toBeLessThan(0)
    expect(top_logprobs).toHaveLength(2)
    expect(top_logprobs[0]).toMatchObject({ token, logprob })
    expect(top_logprobs[1]?.logprob).toBeLessThan(logprob)
  }
  const plain = await json<ChatResponse>(
    await post('/v1/chat/completions', { messages, logprobs: true }),
  )
  expect(plain.choices[0]?.logprobs?.content.map(({ top_logprobs }) => top_logprobs)).toEqual(
    WORDS.map(() => []),
  )
})

test('streamed log-probabilities are those of the whole answer, of tokens without text too', async () => {
  const { post } = testApp({ words: ['a', '', 'stop here', 'c'] })
  const asked = { messages, n: 2, logprobs: true, top_logprobs: 1, stop: 'stop' }
  const whole = await json<ChatResponse>(await post('/v1/chat/completions', asked))
  const all = await frames(await post('/v1/chat/completions', { ...asked, stream: true }))
  const choices = (all.slice(0, -1) as ChatChunk[]).flatMap((chunk) => chunk.choices)
  for (const { index, logprobs } of whole.choices) {
    const streamed: TokenLogprobs['content'] = choices
      .filter((choice) => choice.index === index)
      .flatMap((choice) => choice.logprobs?.content ?? [])
    expect(streamed).toEqual(logprobs?.content)
  }
  expect(whole.choices[0]?.logprobs?.content).toHaveLength(3)
  expect(whole.choices[0]?.message.content).toBe('a')
})

test('logit_bias bans and forces tokens by id', async () => {
  const { post } = testApp({ words: ['a', 'b', 'c'] })
  const answer = async (logit_bias: object) => {
    const response = await post('/v1/chat/completions', { messages, logit_bias })
    return (await json<ChatResponse>(response)).choices[0]?.message.content
  }
  expect(await answer({})).toBe('abc')
  expect(await answer({ [FIRST_WORD]: -100 })).toBe('bbc')
  expect(await answer({ [FIRST_WORD + 2]: 100 })).toBe('ccc')
})

test('no key of logit_bias is passed over', async () => {
  const { post } = testApp()
  const many = Object.fromEntries(Array.from({ length: 1025 }, (_, id) => [id, 1]))
  for (const [bias, param, message] of [
    ['{"__proto__":5}', 'logit_bias.__proto__', 'is not a token id'],
    ['{"constructor":5}', 'logit_bias.constructor', 'is not a token id'],
    ['{"07":5}', 'logit_bias.07', 'is not a token id'],
    ['{"7":"5"}', 'logit_bias.7', 'must be a number between -100 and 100'],
    ['[]', 'logit_bias', 'must be an object of token ids'],
    ['5', 'logit_bias', 'must be an object of token ids'],
    [JSON.stringify(many), 'logit_bias', 'must hold at most 1024 token ids'],
  ] as const) {
    const body = `{"messages":${JSON.stringify(messages)},"logit_bias":${bias}}`
    const response = await post('/v1/chat/completions', body)
    const { error } = await json<WireError>(response)
    expect(error).toMatchObject({ code: 'invalid_parameter', param })
    expect(error.message).toContain(message)
  }
})

test('a client that leaves one of n choices leaves all', async () => {
  const { engine, lifecycle, post } = testApp({ rate: 100, words: Array(1000).fill('a') })
  const body = { messages, n: 4, stream: true, max_tokens: 1000 }
  const reader = (await post('/v1/chat/completions', body)).body?.getReader()
  for (let read = 0; read < 8; read++) await reader?.read()
  await reader?.cancel()
  await expect.poll(() => engine.stats.running).toBe(0)
  expect(engine.aborted).toBe(1)
  expect(lifecycle.underWay).toBe(0)
})
