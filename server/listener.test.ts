/** What a connection may cost: headers and bodies that are too large or never end, and what is no HTTP at all. */
import { connect } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import type { WireError } from '../test/server-app.ts'
import { FakeEngine } from './fake-engine.ts'
import { MAX_HEADER_BYTES } from './listener.ts'
import { type RunningServer, serve } from './serve.ts'

const running: RunningServer[] = []

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()))
})

async function start() {
  const logged: string[] = []
  const engine = new FakeEngine({ words: ['a'] })
  const server = await serve({
    port: 0,
    load: async () => engine,
    log: (line) => logged.push(line),
    limits: { headersMs: 200, requestMs: 400 },
  })
  running.push(server)
  await server.ready
  return { logged, engine, port: Number(new URL(server.url).port) }
}

/** Sends the pieces, one every 50 ms, and gathers what comes back until the connection's end. */
async function drip(port: number, ...pieces: readonly string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const rest = [...pieces]
  const send = () => {
    const piece = rest.shift()
    if (piece !== undefined && !socket.destroyed) socket.write(piece)
  }
  send()
  const timer = setInterval(send, 50)
  socket.on('error', () => {})
  let text = ''
  socket.on('data', (chunk) => (text += String(chunk)))
  await new Promise((resolve) => socket.once('close', resolve))
  clearInterval(timer)
  return text
}

function statusAndError(text: string) {
  const status = Number(/^HTTP\/1\.1 (\d+) /.exec(text)?.[1])
  const { error } = JSON.parse(text.slice(text.indexOf('\r\n\r\n'))) as WireError
  expect(text).toContain(`x-request-id: ${error.request_id}`)
  return { status, code: error.code }
}

const POST = 'POST /generate HTTP/1.1\r\nhost: 127.0.0.1\r\n'

test('headers beyond the cap are 431', async () => {
  const { port } = await start()
  const large = `${POST}x-much: ${'x'.repeat(MAX_HEADER_BYTES)}\r\n\r\n`
  expect(statusAndError(await drip(port, large))).toEqual({
    status: 431,
    code: 'headers_too_large',
  })
})

test.each([
  ['headers', [POST, ...Array<string>(60).fill('x-a: b\r\n')]],
  ['a body', [`${POST}content-length: 100\r\n\r\n{`, ...Array<string>(60).fill(' ')]],
  [
    'a body in chunks',
    [
      `${POST}transfer-encoding: chunked\r\n\r\n1\r\n{\r\n`,
      ...Array<string>(60).fill('1\r\n \r\n'),
    ],
  ],
])('%s that drip are 408', async (_, pieces) => {
  const { port, logged } = await start()
  expect(statusAndError(await drip(port, ...pieces))).toEqual({
    status: 408,
    code: 'request_timeout',
  })
  expect(logged).toEqual([])
})

test.each([
  ['no HTTP', 'hello there\r\n\r\n'],
  ['another version', 'GET / HTTP/9.9\r\n\r\n'],
  ['a header without a colon', `${POST}what\r\n\r\n`],
  ['two lengths', `${POST}content-length: 1\r\ncontent-length: 2\r\n\r\n{`],
  ['length and chunks', `${POST}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n`],
  ['a chunk without a size', `${POST}transfer-encoding: chunked\r\n\r\nzz\r\n`],
])('%s is 400', async (_, request) => {
  const { port } = await start()
  expect(statusAndError(await drip(port, request))).toEqual({
    status: 400,
    code: 'malformed_request',
  })
})

test('a client that leaves in the middle of its body asks for nothing, and is no fault of ours', async () => {
  const { port, engine, logged } = await start()
  for (const how of ['end', 'resetAndDestroy'] as const) {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    await new Promise<void>((sent) =>
      socket.write(`${POST}content-length: 100\r\n\r\n{`, () => sent()),
    )
    await new Promise((resolve) => setTimeout(resolve, 50))
    socket[how]()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  expect(engine.calls).toEqual([])
  expect(logged).toEqual([])
})
