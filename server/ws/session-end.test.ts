/** Who may be on a WebSocket, and how it ends. Over real sockets. */
import { afterEach, describe, expect, test } from 'vitest'
import { closeAll, LONG, long, open, start } from '../../test/socket-client.ts'
import { ANYONE } from '../auth/caller.ts'
import { noCredential } from '../auth/refusals.ts'
import { ApiError } from '../contract/errors.ts'
import type { ServeOptions } from '../serve.ts'
import { MAX_MESSAGE } from './upgrade.ts'

afterEach(closeAll)

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
