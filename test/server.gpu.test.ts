/** The real `serve` process with a real (random, tiny) model: loading, both dialects, streams, disconnects, bad requests, SIGTERM. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { removeFolder } from '../engine/weights/fixture.ts'
import { exitCode, startCommand } from './command-line.ts'
import { type RandomLlama, writeRandomLlama } from './random-llama.ts'
import { frames, json } from './server-app.ts'

let model: RandomLlama
let child: ChildProcessWithoutNullStreams
let url = ''
let stderr = ''

beforeAll(async () => {
  model = await writeRandomLlama({ seed: 5, text: true })
  child = startCommand(['serve', '--port', '0', '--model', model.folder])
  child.stderr.on('data', (data: Buffer) => (stderr += data))
  url = await new Promise<string>((resolve, reject) => {
    let output = ''
    child.on('close', (code) => reject(new Error(`serve ended with ${code}: ${stderr}`)))
    child.stdout.on('data', (data: Buffer) => {
      output += data
      const found = /listens on (\S+)/.exec(output)?.[1]
      if (found) resolve(found)
    })
  })
})
afterAll(async () => {
  child?.kill('SIGKILL')
  if (model) await removeFolder(model.folder)
})

const post = (path: string, body: unknown, init: RequestInit = {}) =>
  fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...init,
  })

const messages = [{ role: 'user', content: 'hello' }]
const chat = (more: object = {}) =>
  post('/v1/chat/completions', { messages, max_tokens: 8, temperature: 0, ...more })

interface ChatAnswer {
  choices: { message: { role: string; content: string }; finish_reason: string }[]
  usage: { completion_tokens: number }
}
interface ChatFrame {
  choices: { delta: { content?: string }; finish_reason: string | null }[]
}

test('health goes from loading to healthy', async () => {
  for (;;) {
    const response = await fetch(`${url}/health`)
    const { status } = await json<{ status: string }>(response)
    if (response.status === 200) {
      expect(status).toBe('healthy')
      return
    }
    expect([response.status, status]).toEqual([503, 'loading'])
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
})

test('a chat, plain and streamed, says the same', async () => {
  const response = await chat()
  expect(response.status).toBe(200)
  const plain = await json<ChatAnswer>(response)
  expect(plain.usage.completion_tokens).toBeGreaterThan(0)
  const stream = (await frames(await chat({ stream: true }))) as (ChatFrame | '[DONE]')[]
  expect(stream.at(-1)).toBe('[DONE]')
  const chunks = stream.filter((frame) => frame !== '[DONE]')
  const text = chunks.map((frame) => frame.choices[0]?.delta.content ?? '').join('')
  expect(text).toBe(plain.choices[0]?.message.content)
  expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe(plain.choices[0]?.finish_reason)
})

interface ToldToken {
  bytes: number[] | null
}
interface WithLogprobs {
  choices: { message: { content: string }; logprobs: { content: ToldToken[] } }[]
}

test.each([1, 2, 3])(
  'the bytes of its tokens are its text, sense or not (seed %i)',
  async (seed) => {
    const asked = { logprobs: true, temperature: 1.5, top_p: 1, seed, max_tokens: 60 }
    const { choices } = await json<WithLogprobs>(await chat(asked))
    const [{ message, logprobs } = { message: { content: '' }, logprobs: { content: [] } }] =
      choices
    const bytes = logprobs.content.flatMap((token) => token.bytes ?? [])
    expect(bytes.length).toBeGreaterThan(0)
    expect(Buffer.from(bytes).toString('utf8')).toBe(message.content)
  },
)

test('/generate streams whole frames and ends with usage', async () => {
  const response = await post('/generate', { prompt: 'hello', max_tokens: 8, stream: true })
  expect(response.headers.get('content-type')).toContain('text/event-stream')
  const all = await frames(response)
  expect(all.at(-1)).toBe('[DONE]')
  expect(JSON.stringify(all.at(-2))).toContain('completion_tokens')
})

test('bad requests are refused and the server lives', async () => {
  expect((await post('/generate', '{"prompt":')).status).toBe(400)
  expect((await post('/generate', { prompt: 'a', max_tokens: -1 })).status).toBe(422)
  const long = await chat({ messages: [{ role: 'user', content: '1234567 '.repeat(60) }] })
  expect(long.status).toBe(400)
  expect(await long.text()).toContain('256')
  expect((await chat({ model: 'nobody' })).status).toBe(404)
  expect((await chat()).status).toBe(200)
})

test('a reader that leaves in mid-stream frees the engine', async () => {
  const controller = new AbortController()
  const body = { prompt: 'hello', max_tokens: 200, stream: true }
  const response = await post('/generate', body, { signal: controller.signal })
  await response.body?.getReader().read()
  controller.abort()
  expect((await chat()).status).toBe(200)
})

test('SIGTERM ends it with 0', async () => {
  const ended = exitCode(child)
  child.kill('SIGTERM')
  expect(await ended, stderr).toBe(0)
})
