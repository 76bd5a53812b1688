/** The `openai` package, unchanged, against the server: everything it can ask of what is served. */
import type { z } from '@hono/zod-openapi'
import OpenAI, { APIUserAbortError, BadRequestError, NotFoundError } from 'openai'
import { afterEach, expect, expectTypeOf, test } from 'vitest'
import type { chatRequest } from '../server/contract/chat.ts'
import type { completionRequest } from '../server/contract/completions.ts'
import { CACHED_TOKENS, type FakeOptions, FIRST_WORD, WORDS } from '../server/fake-engine.ts'
import {
  clientServer,
  closeClientServers,
  ENDLESS,
  KEY,
  MODEL,
  refuseFirstChat,
} from './client-server.ts'

afterEach(closeClientServers)

const messages = [{ role: 'user' as const, content: 'Hello' }]
const TEXT = WORDS.join('')

async function connect(options: FakeOptions = {}) {
  const { engine, baseURL } = await clientServer(options)
  return { engine, client: new OpenAI({ apiKey: KEY, baseURL }) }
}

test('chats, with usage, choices and log-probabilities', async () => {
  const { client } = await connect()
  const answer = await client.chat.completions.create({
    model: MODEL,
    messages,
    n: 2,
    logprobs: true,
    top_logprobs: 3,
    seed: 7,
    temperature: 0.5,
    max_completion_tokens: 4,
    user: 'ann',
    metadata: { purpose: 'test' },
    store: false,
  })
  expect(answer.choices.map(({ message }) => message.content)).toEqual([
    'Once upon a time',
    ' upon a time there',
  ])
  expect(answer.choices[0]?.finish_reason).toBe('length')
  expect(answer.choices[1]?.logprobs?.content?.[0]?.top_logprobs).toHaveLength(3)
  expect(answer.usage).toMatchObject({
    prompt_tokens: 12,
    completion_tokens: 8,
    prompt_tokens_details: { cached_tokens: CACHED_TOKENS },
  })
  expect(answer._request_id).toMatch(/^req_/)
})

test('streams a chat, with the usage in a last chunk', async () => {
  const { client } = await connect()
  const stream = await client.chat.completions.create({
    model: MODEL,
    messages,
    stream: true,
    stream_options: { include_usage: true },
  })
  let text = ''
  let usage: OpenAI.CompletionUsage | null | undefined
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? ''
    usage = chunk.usage
  }
  expect(text).toBe(TEXT)
  expect(usage?.completion_tokens).toBe(WORDS.length)
})

test('its stream helper puts n answers and their log-probabilities together', async () => {
  const { client } = await connect()
  const asked = { model: MODEL, messages, n: 3, logprobs: true, top_logprobs: 1 }
  const stream = client.chat.completions.stream(asked)
  const { choices } = await stream.finalChatCompletion()
  const whole = await client.chat.completions.create(asked)
  expect(choices.map(({ message }) => message.content)).toEqual(
    whole.choices.map(({ message }) => message.content),
  )
  expect(choices.map(({ logprobs }) => logprobs?.content)).toEqual(
    whole.choices.map(({ logprobs }) => logprobs?.content),
  )
})

test('completes several prompts, whole and streamed', async () => {
  const { client } = await connect({ words: ['a', 'b'] })
  const asked = { model: MODEL, prompt: ['x', 'y'], n: 2, best_of: 2 }
  const whole = await client.completions.create(asked)
  expect(whole.choices.map(({ text }) => text)).toEqual(['ab', 'ba', 'ab', 'ba'])
  const texts = ['', '', '', '']
  for await (const { choices } of await client.completions.create({ ...asked, stream: true })) {
    for (const { index, text } of choices) texts[index] += text
  }
  expect(texts).toEqual(['ab', 'ba', 'ab', 'ba'])
})

test('biases reach the engine', async () => {
  const { client } = await connect({ words: ['a', 'b'] })
  const answer = await client.chat.completions.create({
    model: MODEL,
    messages,
    logit_bias: { [FIRST_WORD]: -100 },
  })
  expect(answer.choices[0]?.message.content).toBe('bb')
})

test('lists the models and finds one, whose id has a slash', async () => {
  const { client } = await connect()
  const ids: string[] = []
  for await (const { id } of client.models.list()) ids.push(id)
  expect(ids).toEqual([MODEL])
  expect(await client.models.retrieve(MODEL)).toMatchObject({ id: MODEL, object: 'model' })
})

test('an unknown model and a bad parameter are errors of its own classes', async () => {
  const { client } = await connect()
  const ask = (more: object) =>
    client.chat.completions.create({ model: MODEL, messages, ...more }).catch((error) => error)
  const unknown: unknown = await ask({ model: 'gpt-9' })
  expect(unknown).toBeInstanceOf(NotFoundError)
  expect(unknown).toMatchObject({ status: 404, code: 'model_not_found', param: 'model' })
  const bad: unknown = await ask({ temperature: 3 })
  expect(bad).toBeInstanceOf(BadRequestError)
  expect(bad).toMatchObject({
    status: 400,
    code: 'invalid_parameter',
    param: 'temperature',
    type: 'invalid_request_error',
  })
  const refused: unknown = await ask({ tools: [{ type: 'function', function: { name: 'f' } }] })
  expect(refused).toMatchObject({ code: 'unsupported_parameter', param: 'tools' })
})

test('leaving a stream, and aborting a whole answer, end the work', async () => {
  const { client, engine } = await connect(ENDLESS)
  const stream = await client.chat.completions.create({ model: MODEL, messages, stream: true })
  let chunks = 0
  for await (const _ of stream) if (++chunks === 5) break
  await expect.poll(() => engine.stats.running).toBe(0)
  expect(engine.aborted).toBe(1)
  const controller = new AbortController()
  const { signal } = controller
  const answer = client.chat.completions.create({ model: MODEL, messages }, { signal })
  await expect.poll(() => engine.stats.running).toBe(1)
  controller.abort()
  await expect(answer).rejects.toBeInstanceOf(APIUserAbortError)
  await expect.poll(() => engine.stats.running).toBe(0)
  expect(engine.aborted).toBe(2)
})

test('a full queue is tried again', async () => {
  const { client, engine } = await connect()
  const chats = refuseFirstChat(engine)
  const answer = await client.chat.completions.create({ model: MODEL, messages })
  expect(answer.choices[0]?.message.content).toBe(TEXT)
  expect(chats()).toBe(2)
})

test('an error in mid-stream is thrown', async () => {
  const error = new Error('of no concern to clients')
  const { client } = await connect({ failAfter: { tokens: 2, error } })
  const stream = await client.chat.completions.create({ model: MODEL, messages, stream: true })
  const read = async () => {
    for await (const _ of stream);
  }
  await expect(read()).rejects.toMatchObject({ code: 'internal_error' })
})

test('every parameter of its types has a place in our schemas', () => {
  // Checked by tsc: a parameter that OpenAI adds is named here.
  type Missing<Params, Schema extends z.ZodType> = Exclude<keyof Params, keyof z.input<Schema>>
  type Chat = Missing<OpenAI.ChatCompletionCreateParamsStreaming, typeof chatRequest>
  type Text = Missing<OpenAI.CompletionCreateParamsStreaming, typeof completionRequest>
  expectTypeOf<Chat>().toBeNever()
  expectTypeOf<Text>().toBeNever()
})
