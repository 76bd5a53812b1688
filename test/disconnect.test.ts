/**
 * A client that leaves ends its work, however it was being answered and however it left. Over real sockets, by hand:
 * clients that libraries make leave politely.
 */
import { connect, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { FakeEngine, type FakeOptions } from '../server/fake-engine.ts'
import type { Answered } from '../server/observe/answered.ts'
import { type RunningServer, type ServeOptions, serve } from '../server/serve.ts'
import { frame, HANDSHAKE, pause, post } from './raw-client.ts'

const running: RunningServer[] = []
const clients: Socket[] = []

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  await Promise.all(running.splice(0).map((server) => server.close()))
})

/** Slow enough that a token is far away when the close is seen. */
const RATE = 20
const SLOW = { rate: RATE, words: Array<string>(5000).fill('a'), contextLength: 10_000_000 }

async function start(fake: FakeOptions = {}, options: Partial<ServeOptions> = {}) {
  const engine = new FakeEngine({ ...SLOW, ...fake })
  const answered: Answered[] = []
  const server = await serve({
    port: 0,
    load: async () => engine,
    log: () => {},
    drainSeconds: 1,
    onAnswered: (one) => answered.push(one),
    ...options,
  })
  running.push(server)
  await server.ready
  const { hostname, port } = new URL(server.url)
  const dial = () => {
    const client = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
    client.on('error', () => {})
    clients.push(client)
    return client
  }
  return { engine, answered, server, dial }
}

const GENERATE = { prompt: 'x', max_tokens: 5000 }
const MESSAGES = { messages: [{ role: 'user', content: 'x' }], max_tokens: 5000 }
/** More than the kernel keeps for a reader: the first frame is never wholly taken. */
const FAT = { prompt: 'x'.repeat(4_000_000), max_tokens: 5000, return_full_text: true }
const FAT_MESSAGE = { ...FAT, prompt: 'x'.repeat(1_000_000) }

interface Kind {
  name: string
  /** Choices: tokens of one step. */
  choices?: number
  fake?: FakeOptions
  /** Answers under way on the connection. Default 1. */
  answers?: number
  begin(client: Socket, engine: FakeEngine): void | Promise<void>
  /** Tokens to wait for before leaving. Default 2. */
  tokens?: number
}

const PREFILL = { fake: { prefill: 60_000 }, tokens: 0 }
const reading = (text: string | Buffer) => (client: Socket) => {
  client.resume()
  client.write(text)
}
const socketWith = (...messages: object[]) =>
  Buffer.concat([Buffer.from(HANDSHAKE), ...messages.map(frame)])

const KINDS: readonly Kind[] = [
  { name: 'an SSE stream', begin: reading(post('/generate', { ...GENERATE, stream: true })) },
  {
    name: 'OpenAI’s stream',
    begin: reading(post('/v1/completions', { ...GENERATE, stream: true })),
  },
  { name: 'a whole answer', begin: reading(post('/generate', GENERATE)) },
  { name: 'a WebSocket', begin: reading(socketWith({ type: 'generate', data: GENERATE })) },
  {
    name: 'a WebSocket with three answers',
    answers: 3,
    begin: reading(
      socketWith(
        { type: 'generate', id: 1, data: GENERATE },
        { type: 'chat', id: 2, data: MESSAGES },
        { type: 'generate', id: 3, data: { ...GENERATE, stream: false } },
      ),
    ),
  },
  {
    name: 'a stream before its first token',
    ...PREFILL,
    begin: reading(post('/generate', { ...GENERATE, stream: true })),
  },
  {
    name: 'a whole answer before its first token',
    ...PREFILL,
    begin: reading(post('/generate', GENERATE)),
  },
  {
    name: 'a WebSocket before its first token',
    ...PREFILL,
    begin: reading(socketWith({ type: 'generate', data: GENERATE })),
  },
  {
    name: 'an answer behind another on the same connection',
    answers: 2,
    begin: reading(
      post('/generate', { ...GENERATE, stream: true }) +
        post('/generate', { ...GENERATE, stream: true }),
    ),
  },
  {
    name: 'a stream of three choices',
    choices: 3,
    begin: reading(post('/v1/chat/completions', { ...MESSAGES, n: 3, stream: true })),
  },
  {
    name: 'a whole answer of three choices',
    choices: 3,
    begin: reading(post('/v1/chat/completions', { ...MESSAGES, n: 3 })),
  },
  { name: 'a stream that nobody reads', begin: stalledStream },
  { name: 'a WebSocket that nobody reads', answers: 6, begin: stalledSocket },
]

function stalledStream(client: Socket): void {
  client.pause()
  client.write(post('/generate', { ...FAT, stream: true }))
}

/** One message after the other: prompts of that length are not let in side by side. */
async function stalledSocket(client: Socket, engine: FakeEngine): Promise<void> {
  const others = engine.stats.running
  client.pause()
  client.write(HANDSHAKE)
  for (let id = 1; id <= 6; id++) {
    client.write(frame({ type: 'generate', id, data: FAT_MESSAGE }))
    await expect.poll(() => engine.stats.running, { interval: 5 }).toBe(others + id)
    await pause(3000 / RATE)
  }
}

const CLOSES = {
  /** All that a process leaves behind when it exits in good order. */
  FIN: (client: Socket) => client.end().destroySoon(),
  RST: (client: Socket) => client.resetAndDestroy(),
  /** Says that it will send no more, and would go on reading. See server/listener.ts for why that is leaving. */
  'half-close': (client: Socket) => client.end(),
} as const

const CASES = KINDS.flatMap((kind) =>
  Object.entries(CLOSES).map(([how, close]) => [kind.name, how, kind, close] as const),
)

test.each(CASES)('%s, %s: the work ends, and is told of once', async (_, __, kind, close) => {
  const { engine, answered, dial } = await start(kind.fake)
  const { answers = 1, choices = 1, tokens = 2 } = kind
  const resources = countResources()
  const client = dial()
  await kind.begin(client, engine)
  await expect
    .poll(() => engine.stats.running, { timeout: 5000, interval: 5 })
    .toBe(answers * choices)
  await expect
    .poll(() => engine.tokens, { timeout: 5000, interval: 5 })
    .toBeGreaterThanOrEqual(tokens * answers * choices)
  expect(answered).toEqual([])
  const before = engine.tokens
  close(client)
  await expect.poll(() => engine.stats.running, { timeout: 5000, interval: 5 }).toBe(0)
  // One step may have been under way; a step is a token of each sequence.
  expect(engine.tokens - before).toBeLessThanOrEqual(answers * choices)
  expect(engine.aborted).toBe(answers)
  await expect.poll(() => answered.length).toBe(answers)
  const after = engine.tokens
  await pause(3000 / RATE)
  expect(engine.tokens).toBe(after)
  expect(engine.aborted).toBe(answers)
  expect(answered.map(({ outcome }) => outcome)).toEqual(Array(answers).fill('cancelled'))
  client.destroy()
  await expect.poll(() => countResources() - resources).toBeLessThanOrEqual(0)
})

test.each([
  ['a stream', 1, stalledStream],
  ['a WebSocket', 6, stalledSocket],
] as const)(
  '%s whose reader stops is dropped after a while, and nobody else',
  async (_, answers, begin) => {
    const logged: string[] = []
    const options = { limits: { stallMs: 2000 }, log: (line: string) => logged.push(line) }
    const { engine, answered, dial } = await start({}, options)
    const other = dial()
    let read = ''
    other.on('data', (chunk) => (read += String(chunk)))
    other.write(post('/generate', { ...GENERATE, stream: true }))
    const idle = dial().resume()
    let dropped = false
    idle.on('close', () => (dropped = true))
    await expect.poll(() => engine.tokens).toBeGreaterThan(0)
    await begin(dial(), engine)
    await expect.poll(() => engine.stats.running, { timeout: 5000 }).toBe(answers + 1)
    await expect.poll(() => answered.length, { timeout: 10_000 }).toBe(answers)
    expect(answered.every(({ outcome }) => outcome === 'cancelled')).toBe(true)
    expect(logged).toEqual([expect.stringMatching(/dropped a reader .* took nothing for 2000 ms/)])
    expect(engine.stats.running).toBe(1)
    const before = read.length
    await expect.poll(() => read.length).toBeGreaterThan(before)
    expect(dropped).toBe(false)
  },
)

test('a reader that is slow, but reads, loses nothing: what waited comes joined', async () => {
  const words = Array.from({ length: 400 }, (_, i) => `${i} `)
  const limits = { stallMs: 5000 }
  const { engine, answered, dial } = await start({ words, rate: 200 }, { limits })
  const client = dial()
  client.write(post('/generate', { ...FAT, stream: true }))
  const read: Buffer[] = []
  client.on('data', async (chunk) => {
    read.push(chunk)
    client.pause()
    // Slower than the engine, however slow that is here.
    const next = Math.min(engine.tokens + 4, words.length)
    while (engine.tokens < next) await pause(5)
    client.resume()
  })
  await expect.poll(() => answered.length, { timeout: 20_000 }).toBe(1)
  await expect.poll(() => String(read.at(-1)), { timeout: 20_000 }).toContain('[DONE]')
  const text = Buffer.concat(read).toString()
  const frames = [...text.matchAll(/^data: (\{.*\})\n/gm)].map(([, data = '']) => JSON.parse(data))
  const told = frames as { token: string; index: number }[]
  expect(told.map(({ token }) => token).join('')).toBe(FAT.prompt + words.join(''))
  const indices = told.map(({ index }) => index)
  expect(indices).toEqual([...new Set([...indices, 399])].sort((a, b) => a - b))
  expect(told.length).toBeLessThan(400)
  expect(answered).toMatchObject([{ outcome: 'completed', completionTokens: 400 }])
})

function countResources(): number {
  return process.getActiveResourcesInfo().filter((kind) => /Timeout|TCPSocket/.test(kind)).length
}
