/** For tests of WebSockets: a server over a fake engine, and a client that gathers what it is told. */
import { expect } from 'vitest'
import WebSocket from 'ws'
import type { SocketFrame } from '../server/contract/ws.ts'
import { FakeEngine, type FakeOptions } from '../server/fake-engine.ts'
import type { Answered } from '../server/observe/answered.ts'
import { type RunningServer, type ServeOptions, serve } from '../server/serve.ts'

const running: RunningServer[] = []

/** For `afterEach`. */
export async function closeAll(): Promise<void> {
  await Promise.all(running.splice(0).map((server) => server.close()))
}

export async function start(fake: FakeOptions = {}, options: Partial<ServeOptions> = {}) {
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
export async function open(server: RunningServer, options: WebSocket.ClientOptions = {}) {
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

/** An answer that does not end by itself for a while. */
export const LONG = { rate: 200, words: Array<string>(5000).fill('a') }
export const long = (id?: string) => ({
  type: 'generate',
  id,
  data: { prompt: 'x', max_tokens: 4000 },
})
