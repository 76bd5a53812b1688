/** What a WebSocket promises: the contract's messages, ids, limits, and how it ends. Over real sockets. */
import { afterEach, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { ANYONE } from '../auth/caller.ts'
import { noCredential } from '../auth/refusals.ts'
import { ApiError } from '../contract/errors.ts'
import type { SocketFrame } from '../contract/ws.ts'
import { FakeEngine, type FakeOptions } from '../fake-engine.ts'
import type { Answered } from '../observe/answered.ts'
import { type RunningServer, type ServeOptions, serve } from '../serve.ts'
import { MAX_MESSAGE } from './upgrade.ts'

const running: RunningServer[] = []

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()))
})

async function start(fake: FakeOptions = {}, options: Partial<ServeOptions> = {}) {
  const engine = new FakeEngine(fake)
  const answered: Answered[] = []
  const server = await serve({
    port: 0,
    load: async () => engine,
    log: () => {},
    drainSeconds: 0.2,
    onAnswered: (one) => answered.push(one),
    ...options,
  })
  running.push(server)
  await server.ready
  return { engine, server, answered }
}

/** A socket, what came over it, and how it ended. */
async function open(server: RunningServer, options: WebSocket.ClientOptions = {}) {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/ws`, options)
  const frames: SocketFrame[] = []
  socket.on('message', (data) => frames.push(JSON.parse(String(data)) as SocketFrame))
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => resolve({ code, reason: String(reason) }))
  })
  await new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  socket.on('error', () => {})
  const send = (message: unknown) =>
    socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  /** Waits for the frame that ends an answer. */
  const ended = async (id?: string | number) => {
    const last = () => frames.find((frame) => frame.type !== 'token' && frame.id === id)
    await expect.poll(last, { timeout: 5000 }).toBeDefined()
    return last()
  }
  const text = (id?: string | number) =>
    frames
      .map((frame) => (frame.type === 'token' && frame.id === id ? frame.data.token : ''))
      .join('')
  return { socket, frames, closed, send, ended, text }
}

const LONG = { rate: 200, words: Array<string>(5000).fill('a') }
const long = (id?: string) => ({ type: 'generate', id, data: { prompt: 'x', max_tokens: 4000 } })

describe('answers', () => {
  test('generate as the contract prints it: tokens, then complete', async () => {
    const { server, answered } = await start({ words: ['Once', ' upon', ' a'] })
    const { send, ended, frames } = await open(server)
    send({ type: 'auth', token: 'YOUR_API_KEY' })
    send({ type: 'generate', data: { prompt: 'hey', max_tokens: 100, temperature: 0.7 } })
    await ended()
    expect(frames).toEqual([
      { type: 'token', data: { token: 'Once', index: 0 } },
      { type: 'token', data: { token: ' upon', index: 1 } },
      { type: 'token', data: { token: ' a', index: 2 } },
      {
        type: 'complete',
        data: {
          finish_reason: 'stop',
          usage: expect.objectContaining({ prompt_tokens: 3, completion_tokens: 3 }),
        },
      },
    ])
    expect(answered).toMatchObject([
      { endpoint: '/ws', outcome: 'completed', completionTokens: 3, model: 'fake/tiny-1' },
    ])
  })

  test('chat, with the contract’s defaults', async () => {
    const { server, engine } = await start()
    const { send, ended } = await open(server)
    send({
      type: 'chat',
      data: { messages: [{ role: 'user', content: 'Hello!' }], temperature: 0 },
    })
    expect(await ended()).toMatchObject({ type: 'complete' })
    expect(engine.calls[0]?.options).toMatchObject({ temperature: 0, topK: 50, maxTokens: 100 })
  })

  test('several at once, told apart by ids of either kind', async () => {
    const { server } = await start({ rate: 100, words: ['a', 'b', 'c'] })
    const { send, ended, text } = await open(server)
    send({ type: 'generate', id: 'one', data: { prompt: 'x' } })
    send({ type: 'generate', id: 2, data: { prompt: 'x', max_tokens: 2 } })
    expect(await ended('one')).toMatchObject({ data: { finish_reason: 'stop' } })
    expect(await ended(2)).toMatchObject({ data: { finish_reason: 'length' } })
    expect(text('one')).toBe('abc')
    expect(text(2)).toBe('ab')
  })

  test('`stream: false` brings the whole text at the end; `return_full_text` the prompt', async () => {
    const { server } = await start({ words: ['a', 'b'] })
    const { send, ended, frames } = await open(server)
    send({ type: 'generate', data: { prompt: 'x-', stream: false, return_full_text: true } })
    expect(await ended()).toMatchObject({ data: { generated_text: 'x-ab' } })
    expect(frames).toHaveLength(1)
  })

  test('cancel ends the one it names, and no other', async () => {
    const { server, engine, answered } = await start(LONG)
    const { send, ended, text, frames } = await open(server)
    send(long('stays'))
    send(long('goes'))
    await expect.poll(() => text('goes').length).toBeGreaterThan(2)
    send({ type: 'cancel', id: 'goes' })
    expect(await ended('goes')).toMatchObject({ type: 'error', data: { code: 'cancelled' } })
    expect(engine.aborted).toBe(1)
    expect(engine.stats.running).toBe(1)
    expect(answered).toMatchObject([{ outcome: 'cancelled' }])
    const before = text('stays').length
    await expect.poll(() => text('stays').length).toBeGreaterThan(before)
    send({ type: 'cancel', id: 'goes' })
    await expect
      .poll(() => frames.filter((frame) => frame.type === 'error').at(-1)?.data)
      .toMatchObject({ code: 'not_found', param: 'id' })
  })
})

describe('errors', () => {
  test('an error’s `error` is its message, beside it is all that HTTP would tell', async () => {
    const { server } = await start()
    const { send, ended } = await open(server)
    send({ type: 'generate', id: 'x', data: { prompt: 'x', temperature: 3 } })
    const message = "The parameter 'temperature' must be a number between 0.0 and 2.0."
    expect(await ended('x')).toEqual({
      type: 'error',
      id: 'x',
      data: {
        error: message,
        message,
        type: 'validation_error',
        code: 'invalid_parameter',
        param: 'temperature',
        request_id: expect.stringMatching(/^req_/),
      },
    })
  })

  test.each([
    ['not JSON', '{', 'invalid_json'],
    ['no object', '[]', 'invalid_parameter'],
    ['a null', 'null', 'invalid_parameter'],
    ['no such type', { type: 'shout' }, 'invalid_parameter'],
    ['no data', { type: 'generate' }, 'missing_parameter'],
    [
      'an unknown member',
      { type: 'generate', data: { prompt: 'x' }, loud: 1 },
      'unknown_parameter',
    ],
    ['a bad id', { type: 'generate', id: {}, data: { prompt: 'x' } }, 'invalid_parameter'],
    ['an unknown field', { type: 'generate', data: { prompt: 'x', hm: 1 } }, 'unknown_parameter'],
    ['another model', { type: 'generate', data: { prompt: 'x', model: 'gpt' } }, 'model_not_found'],
    [
      'a prompt too long',
      { type: 'generate', data: { prompt: 'x'.repeat(5000) } },
      'context_length_exceeded',
    ],
    [
      'two choices',
      { type: 'chat', data: { messages: [{ role: 'user', content: 'x' }], n: 2 } },
      'unsupported_parameter',
    ],
    ['too deep', `{"type":"generate","data":${'['.repeat(99)}${']'.repeat(99)}}`, 'invalid_json'],
    ['nothing to cancel', { type: 'cancel' }, 'not_found'],
  ])('%s is told, and the socket goes on', async (_, message, code) => {
    const { server } = await start({ words: ['a'] })
    const { send, frames, ended } = await open(server)
    send(message)
    await expect.poll(() => frames[0]).toMatchObject({ type: 'error', data: { code } })
    send({ type: 'generate', id: 'after', data: { prompt: 'x' } })
    expect(await ended('after')).toMatchObject({ type: 'complete' })
  })

  test('an engine that fails: fixed words for the client, the cause for the log', async () => {
    const logged: string[] = []
    const failAfter = { tokens: 2, error: new Error('secret at /home/me') }
    const { server, answered } = await start({ failAfter }, { log: (line) => logged.push(line) })
    const { send, ended } = await open(server)
    send({ type: 'generate', data: { prompt: 'x' } })
    const frame = await ended()
    expect(frame).toMatchObject({ type: 'error', data: { code: 'internal_error' } })
    expect(JSON.stringify(frame)).not.toContain('secret')
    expect(logged.join()).toContain('secret')
    expect(answered).toMatchObject([{ outcome: 'failed' }])
  })

  test('more at once than allowed, and an id twice, are refused', async () => {
    const { server } = await start(LONG, { socketLimits: { answers: 2 } })
    const { send, frames } = await open(server)
    const codes = () => frames.flatMap((frame) => (frame.type === 'error' ? [frame.data.code] : []))
    send(long('a'))
    send(long('a'))
    await expect.poll(codes).toEqual(['invalid_parameter'])
    send(long('b'))
    send(long('c'))
    await expect.poll(codes).toEqual(['invalid_parameter', 'overloaded'])
  })
})

describe('who is there', () => {
  const authenticate: ServeOptions['authenticate'] = async (token) => {
    if (token === null) throw noCredential()
    if (token !== 'sk-good') throw new ApiError('unauthenticated', 'This key is not known.')
    return { ...ANYONE, id: 'key-1' }
  }

  test('a key by message; one that is wrong closes with 4401', async () => {
    const { server, answered } = await start({ words: ['a'] }, { authenticate })
    const good = await open(server)
    good.send({ type: 'auth', token: 'sk-good' })
    good.send({ type: 'generate', data: { prompt: 'x' } })
    expect(await good.ended()).toMatchObject({ type: 'complete' })
    expect(answered[0]?.caller.id).toBe('key-1')
    const bad = await open(server)
    bad.send({ type: 'auth', token: 'sk-bad' })
    expect((await bad.closed).code).toBe(4401)
    expect(bad.frames).toMatchObject([{ type: 'error', data: { code: 'invalid_api_key' } }])
  })

  test('a key by header; one that is wrong is a 401 before there is a socket', async () => {
    const { server } = await start({ words: ['a'] }, { authenticate })
    const good = await open(server, { headers: { authorization: 'Bearer sk-good' } })
    good.send({ type: 'generate', data: { prompt: 'x' } })
    expect(await good.ended()).toMatchObject({ type: 'complete' })
    await expect(open(server, { headers: { 'x-api-key': 'sk-bad' } })).rejects.toThrow('401')
  })

  test('without a key in time, or asking for work before, closes with 4401', async () => {
    const { server, engine } = await start({}, { authenticate, socketLimits: { authMs: 50 } })
    expect((await (await open(server)).closed).code).toBe(4401)
    const { send, closed } = await open(server)
    send({ type: 'generate', data: { prompt: 'x' } })
    expect((await closed).code).toBe(4401)
    expect(engine.calls).toHaveLength(0)
  })

  test('a key that is revoked, or has no right to generate, asks for nothing more', async () => {
    let valid = true
    const { server } = await start(
      { words: ['a'] },
      {
        authenticate: async () => {
          if (!valid) throw new ApiError('unauthenticated', 'This key was revoked.')
          return ANYONE
        },
      },
    )
    const { send, closed, ended } = await open(server)
    send({ type: 'generate', id: 1, data: { prompt: 'x' } })
    await ended(1)
    valid = false
    send({ type: 'generate', id: 2, data: { prompt: 'x' } })
    expect((await closed).code).toBe(4401)
    const authenticateBatch = async () => ({ ...ANYONE, scopes: new Set(['batch'] as const) })
    const { server: other } = await start({}, { authenticate: authenticateBatch })
    const batch = await open(other)
    batch.send({ type: 'generate', data: { prompt: 'x' } })
    expect(await batch.ended()).toMatchObject({ data: { code: 'insufficient_scope' } })
  })
})

describe('how it ends', () => {
  test('idle: 4408, but not while something is under way', async () => {
    const { server } = await start(
      { rate: 20, words: ['a', 'b', 'c'] },
      { socketLimits: { idleMs: 60 } },
    )
    const idle = await open(server)
    expect((await idle.closed).code).toBe(4408)
    const busy = await open(server)
    busy.send({ type: 'generate', data: { prompt: 'x' } })
    expect(await busy.ended()).toMatchObject({ type: 'complete' })
    expect((await busy.closed).code).toBe(4408)
  })

  test('a binary message: 1008; one too large: 1009; one not UTF-8: 1007', async () => {
    const { server, engine } = await start(LONG)
    for (const [data, binary, code] of [
      [Buffer.from('{}'), true, 1008],
      [Buffer.alloc(MAX_MESSAGE + 1, 'x'), false, 1009],
      [Buffer.from([0x22, 0xff, 0x22]), false, 1007],
    ] as const) {
      const { socket, send, frames, closed } = await open(server)
      send(long())
      await expect.poll(() => frames.length).toBeGreaterThan(1)
      socket.send(data, { binary })
      expect((await closed).code).toBe(code)
      await expect.poll(() => engine.stats.running).toBe(0)
    }
  })

  test('a client that answers no ping is gone', async () => {
    const { server, engine } = await start({ prefill: 60_000 }, { socketLimits: { pingMs: 40 } })
    const { send, closed } = await open(server, { autoPong: false })
    send(long())
    expect((await closed).code).toBe(1006)
    await expect.poll(() => engine.stats.running).toBe(0)
    const { socket } = await open(server)
    await new Promise((resolve) => setTimeout(resolve, 150))
    expect(socket.readyState).toBe(socket.OPEN)
  })

  test('a drain closes idle sockets with 1001, busy ones when they are done, and refuses new ones', async () => {
    const { server } = await start({ rate: 20, words: ['a', 'b', 'c', 'd'] }, { drainSeconds: 5 })
    const [idle, busy] = [await open(server), await open(server)]
    busy.send({ type: 'generate', data: { prompt: 'x' } })
    await expect.poll(() => busy.frames.length).toBeGreaterThan(0)
    const closing = server.close()
    expect((await idle.closed).code).toBe(1001)
    await expect(open(server)).rejects.toThrow('503')
    busy.send({ type: 'generate', id: 'late', data: { prompt: 'x' } })
    expect(await busy.ended('late')).toMatchObject({ data: { code: 'draining' } })
    expect(await busy.ended()).toMatchObject({ type: 'complete' })
    expect((await busy.closed).code).toBe(1001)
    await closing
  })

  test('a drain that runs out of time tells why the answer ended', async () => {
    const { server, answered } = await start(LONG)
    const { send, frames, ended, closed } = await open(server)
    send(long())
    await expect.poll(() => frames.length).toBeGreaterThan(0)
    await server.close()
    expect(await ended()).toMatchObject({ type: 'error', data: { code: 'draining' } })
    expect((await closed).code).toBe(1001)
    expect(answered).toHaveLength(1)
  })
})
