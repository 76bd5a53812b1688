/** What becomes of a request to change protocols: who may, where, and that any other offer is passed over. */
import { connect } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import type { WireError } from '../../test/server-app.ts'
import { FakeEngine } from '../fake-engine.ts'
import { type RunningServer, serve } from '../serve.ts'

const running: RunningServer[] = []

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()))
})

async function start(): Promise<URL> {
  const server = await serve({
    port: 0,
    load: async () => new FakeEngine({ words: ['a'] }),
    log: () => {},
  })
  running.push(server)
  await server.ready
  return new URL(server.url)
}

/** What is answered to a request as written here, up to the connection's end. */
async function raw({ hostname, port }: URL, lines: readonly string[], body = ''): Promise<string> {
  const socket = connect(Number(port), hostname)
  socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`)
  let text = ''
  for await (const chunk of socket) {
    text += String(chunk)
    if (text.startsWith('HTTP/1.1 101')) break
  }
  return text
}

const handshake = (path: string, host: string, ...more: string[]) => [
  `GET ${path} HTTP/1.1`,
  `host: ${host}`,
  'connection: Upgrade',
  'upgrade: websocket',
  'sec-websocket-version: 13',
  'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
  ...more,
]

test.each([
  ['/ws', '', 101],
  ['/ws?x=1', '', 101],
  ['/ws/', '', 404],
  ['//ws', '', 404],
  ['/%77s', '', 404],
  ['/generate', '', 404],
  ['/v1/chat/completions', '', 404],
  ['/ws', 'origin: https://evil.example', 403],
  ['/ws', 'origin: http://localhost:3000', 101],
])('a handshake at %s %s is answered with %i', async (path, header, status) => {
  const url = await start()
  const text = await raw(url, handshake(path, url.host, ...(header ? [header] : [])))
  expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  if (status === 101) return
  const { error } = JSON.parse(text.slice(text.indexOf('\r\n\r\n'))) as WireError
  expect(error).toMatchObject({ code: expect.any(String), request_id: expect.any(String) })
})

test('another site’s Host, and a handshake that is none, are refused in shape', async () => {
  const url = await start()
  expect(await raw(url, handshake('/ws', 'evil.example'))).toMatch(
    /^HTTP\/1.1 403 .*"host_not_allowed"/s,
  )
  const lines = handshake('/ws', url.host).filter((line) => !line.startsWith('sec-websocket-key'))
  expect(await raw(url, lines)).toMatch(/^HTTP\/1.1 400 .*"request_id"/s)
  expect(await raw(url, handshake('/ws', url.host).with(0, 'POST /ws HTTP/1.1'))).toMatch(
    /^HTTP\/1.1 400 /,
  )
})

test('a plain GET is told to upgrade', async () => {
  const url = await start()
  const response = await fetch(new URL('/ws', url))
  expect(response.status).toBe(426)
  expect(response.headers.get('upgrade')).toBe('websocket')
  expect(((await response.json()) as WireError).error.code).toBe('upgrade_required')
})

test('an offer of another protocol is passed over, body and all', async () => {
  const url = await start()
  const body = JSON.stringify({ prompt: 'x' })
  const offered = [
    'POST /generate HTTP/1.1',
    `host: ${url.host}`,
    'connection: Upgrade, HTTP2-Settings',
    'upgrade: h2c',
    'http2-settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA',
    `content-length: ${body.length}`,
  ]
  const closing = offered.with(2, 'connection: close, Upgrade, HTTP2-Settings')
  expect(await raw(url, closing, body)).toMatch(/^HTTP\/1.1 200 .*"generated_text":"a"/s)
  // And the connection goes on being one.
  const plain = ['GET /health HTTP/1.1', `host: ${url.host}`, 'connection: close', '', ''].join(
    '\r\n',
  )
  expect(await raw(url, offered, body + plain)).toMatch(
    /"generated_text":"a".*HTTP\/1.1 200 .*"healthy"/s,
  )
})
