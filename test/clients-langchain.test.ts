/** `@langchain/openai`, unchanged, against the server. */
import type { UsageMetadata } from '@langchain/core/messages'
import { ChatOpenAI, OpenAI } from '@langchain/openai'
import { afterEach, expect, test } from 'vitest'
import { type FakeOptions, WORDS } from '../server/fake-engine.ts'
import {
  clientServer,
  closeClientServers,
  ENDLESS,
  KEY,
  MODEL,
  refuseFirstChat,
} from './client-server.ts'

afterEach(closeClientServers)

const TEXT = WORDS.join('')

async function connect(options: FakeOptions = {}, asked: { temperature?: number } = {}) {
  const { engine, baseURL } = await clientServer(options)
  const common = { apiKey: KEY, configuration: { baseURL }, model: MODEL, ...asked }
  return { engine, common, chat: new ChatOpenAI(common) }
}

test('chats, with usage', async () => {
  const { chat } = await connect()
  const answer = await chat.invoke([
    ['system', 'You are brief.'],
    ['human', 'Hello'],
  ])
  expect(answer.content).toBe(TEXT)
  expect(answer.usage_metadata).toMatchObject({ output_tokens: WORDS.length })
  expect(answer.response_metadata).toMatchObject({ finish_reason: 'stop' })
})

test('tells log-probabilities', async () => {
  const { common } = await connect()
  const chat = new ChatOpenAI({ ...common, logprobs: true, topLogprobs: 2 })
  const { response_metadata } = await chat.invoke('Hello')
  const { content } = response_metadata.logprobs as { content: unknown[] }
  expect(content).toHaveLength(WORDS.length)
})

test('streams a chat, with usage', async () => {
  const { chat } = await connect()
  let text = ''
  let tokens = 0
  for await (const chunk of await chat.stream('Hello')) {
    text += String(chunk.content)
    const usage = chunk.usage_metadata as UsageMetadata | undefined
    tokens += usage?.output_tokens ?? 0
  }
  expect(text).toBe(TEXT)
  expect(tokens).toBe(WORDS.length)
})

test('completes several prompts, whole and streamed', async () => {
  const { common } = await connect()
  const model = new OpenAI(common)
  const { generations } = await model.generate(['Hello', 'Hi'])
  expect(generations.map(([first]) => first?.text)).toEqual([TEXT, TEXT])
  let text = ''
  for await (const piece of await model.stream('Hello')) text += piece
  expect(text).toBe(TEXT)
})

test('an unknown model and a bad parameter say what is wrong, and are not tried again', async () => {
  const { common } = await connect()
  const unknown = new ChatOpenAI({ ...common, model: 'gpt-9' }).invoke('Hello')
  await expect(unknown).rejects.toThrow(MODEL)
  const bad = new ChatOpenAI({ ...common, temperature: 3 }).invoke('Hello')
  await expect(bad).rejects.toMatchObject({ status: 400, param: 'temperature' })
})

test('aborting in mid-stream ends the work', async () => {
  const { chat, engine } = await connect(ENDLESS)
  const controller = new AbortController()
  const read = async () => {
    let chunks = 0
    for await (const _ of await chat.stream('Hello', { signal: controller.signal })) {
      if (++chunks === 5) controller.abort()
    }
  }
  await expect(read()).rejects.toThrow(/abort/i)
  await expect.poll(() => engine.stats.running).toBe(0)
  expect(engine.aborted).toBe(1)
})

test('a full queue is tried again', async () => {
  const { chat, engine } = await connect()
  const chats = refuseFirstChat(engine)
  const answer = await chat.invoke('Hello')
  expect(answer.content).toBe(TEXT)
  expect(chats()).toBe(2)
})
