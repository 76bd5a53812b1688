/** `ai` with `@ai-sdk/openai-compatible`, unchanged, against the server. */
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { APICallError, generateText, streamText } from 'ai'
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

async function connect(options: FakeOptions = {}) {
  const { engine, baseURL } = await clientServer(options)
  const provider = createOpenAICompatible({
    name: 'ours',
    apiKey: KEY,
    baseURL,
    includeUsage: true,
  })
  return { engine, provider, model: provider(MODEL) }
}

test('chats, with usage', async () => {
  const { engine, model } = await connect()
  const { text, usage, finishReason } = await generateText({
    model,
    system: 'You are brief.',
    prompt: 'Hello',
    temperature: 0,
    topP: 0.5,
    seed: 1,
    presencePenalty: 0.5,
    frequencyPenalty: 0.5,
    stopSequences: ['lamp'],
    maxOutputTokens: 50,
  })
  expect(text).toBe('Once upon a time there was a')
  expect(finishReason).toBe('stop')
  expect(usage).toMatchObject({ outputTokens: 8 })
  expect(engine.calls[0]).toMatchObject({
    prompt: [{ role: 'system' }, { role: 'user', content: 'Hello' }],
    options: { temperature: 0, topP: 0.5, seed: 1, maxTokens: 50, stop: ['lamp'] },
  })
})

test('streams a chat, with usage', async () => {
  const { model } = await connect()
  const { textStream, usage } = streamText({ model, prompt: 'Hello' })
  let text = ''
  for await (const piece of textStream) text += piece
  expect(text).toBe(TEXT)
  expect(await usage).toMatchObject({ outputTokens: WORDS.length })
})

test('completes a text', async () => {
  const { provider } = await connect()
  const model = provider.completionModel(MODEL)
  const { text } = await generateText({ model, prompt: 'Hello' })
  expect(text).toBe(TEXT)
})

test('an unknown model and a bad parameter are errors of its own class', async () => {
  const { model, provider } = await connect()
  const fail = (asked: Parameters<typeof generateText>[0]) =>
    generateText({ maxRetries: 0, ...asked }).catch((error: unknown) => error)
  const unknown = await fail({ model: provider('gpt-9'), prompt: 'Hello' })
  expect(APICallError.isInstance(unknown)).toBe(true)
  expect(unknown).toMatchObject({ statusCode: 404, isRetryable: false })
  expect((unknown as Error).message).toContain(MODEL)
  const bad = await fail({ model, prompt: 'Hello', temperature: 3 })
  expect(bad).toMatchObject({ statusCode: 400, isRetryable: false })
  expect((bad as Error).message).toContain("'temperature'")
})

test('aborting in mid-stream ends the work', async () => {
  const { engine, model } = await connect(ENDLESS)
  const controller = new AbortController()
  const { textStream } = streamText({
    model,
    prompt: 'Hello',
    abortSignal: controller.signal,
    onError: () => undefined,
  })
  let pieces = 0
  for await (const _ of textStream) if (++pieces === 5) controller.abort()
  await expect.poll(() => engine.stats.running).toBe(0)
  expect(engine.aborted).toBe(1)
})

test('a full queue is tried again', async () => {
  const { engine, model } = await connect()
  const chats = refuseFirstChat(engine)
  const { text } = await generateText({ model, prompt: 'Hello' })
  expect(text).toBe(TEXT)
  expect(chats()).toBe(2)
})
