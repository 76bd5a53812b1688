/** What is answered without the application is told of like all else: responses, metrics and the log agree. */
import { connect } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { HANDSHAKE } from '../test/raw-client.ts'
import { closeAll, start } from '../test/socket-client.ts'
import { ANYONE } from './auth/caller.ts'
import { ApiError } from './contract/errors.ts'
import { MAX_HEADER_BYTES } from './listener.ts'
import { createOperatorLog } from './observe/operator-log.ts'
import type { Requested } from './observe/requested.ts'

afterEach(closeAll)

const GET = 'GET /info HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n'
const SHAKE = HANDSHAKE.replace('connection: Upgrade', 'connection: Upgrade\r\nx-request-id: shake')

/** What a client sends, and the status it must get. */
const SENT: readonly [name: string, bytes: string, status: number, endpoint: string | null][] = [
  ['a request', `${GET}\r\n`, 200, '/info'],
  ['one of no path of ours', `${GET}\r\n`.replace('/info', '/nowhere'), 404, null],
  ['one with an expectation', `${GET}expect: a miracle\r\n\r\n`, 200, '/info'],
  ['too large headers', `${GET}x: ${'x'.repeat(MAX_HEADER_BYTES)}\r\n\r\n`, 431, null],
  ['no HTTP', 'HELLO\r\n\r\n', 400, null],
  ['an unknown method', `${GET}\r\n`.replace('GET', 'GOT'), 400, null],
  ['no host', `${GET}\r\n`.replace('host: 127.0.0.1\r\n', ''), 400, null],
  ['a host that is none', `${GET}\r\n`.replace('127.0.0.1', 'a/b@c'), 400, null],
  ['a host that only looks like one', `${GET}\r\n`.replace('127.0.0.1', '1.2.3.4.5'), 400, null],
  ['headers that do not end', GET, 408, null],
  ['a handshake', SHAKE, 101, '/ws'],
  ['one elsewhere', SHAKE.replace('/ws', '/generate'), 404, null],
  ['one of another version', SHAKE.replace('version: 13', 'version: 7'), 400, '/ws'],
  ['one with a wrong key', SHAKE.replace('host', 'authorization: Bearer sk-x\r\nhost'), 401, '/ws'],
  ['another protocol', `${GET}connection: Upgrade\r\nupgrade: h2c\r\n\r\n`, 200, '/info'],
]

/** What comes back until the connection ends, or is a socket. */
function exchange(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  return new Promise((resolve) => {
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      if (text.startsWith('HTTP/1.1 101')) socket.destroy()
    })
    socket.on('error', () => socket.destroy())
    socket.once('close', () => resolve(text))
    socket.write(bytes)
  })
}

async function listening() {
  const requested: Requested[] = []
  let log = ''
  const { requested: write } = createOperatorLog({
    format: 'text',
    level: 'info',
    write: (line) => (log += line),
  })
  const { server } = await start(
    {},
    {
      limits: { headersMs: 300, requestMs: 600 },
      // Whoever brings no key is anybody.
      authenticate: async (token) => {
        if (token === null) return ANYONE
        throw new ApiError('unauthenticated', 'No such key.')
      },
      onRequested: (one) => {
        requested.push(one)
        write(one)
      },
    },
  )
  return { port: Number(new URL(server.url).port), url: server.url, requested, log: () => log }
}

test.each(SENT)('%s', async (_, bytes, status, endpoint) => {
  const { port, requested, log } = await listening()
  const answer = await exchange(port, bytes)
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  await expect.poll(() => requested.length).toBe(1)
  const [told] = requested
  expect(told).toMatchObject({ status, endpoint })
  expect(log()).toContain(` ${status} `)
  if (status >= 400) {
    expect(answer).toContain(`x-request-id: ${told?.requestId}`)
    const { error } = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))) as {
      error: { code: string; request_id: string }
    }
    expect(error).toMatchObject({ code: told?.code, request_id: told?.requestId })
  }
})

test('all of them, and the metrics: each status as often as it was answered', async () => {
  const { port, url } = await listening()
  const twice = [...SENT, ...SENT]
  const answers = await Promise.all(twice.map(([, bytes]) => exchange(port, bytes)))
  const counted = async () => {
    const text = await (await fetch(`${url}/metrics`)).text()
    const counts: Record<string, number> = {}
    for (const [, labels = '', value] of text.matchAll(
      /^illuminator_http_requests_total\{(.*)\} (\d+)$/gm,
    )) {
      if (labels.includes('endpoint="/metrics"')) continue
      const [, status = ''] = /status="(\d+)"/.exec(labels) ?? []
      counts[status] = (counts[status] ?? 0) + Number(value)
    }
    return counts
  }
  const given: Record<string, number> = {}
  for (const answer of answers) {
    const [, status = ''] = /^HTTP\/1\.1 (\d+) /.exec(answer) ?? []
    given[status] = (given[status] ?? 0) + 1
  }
  expect(Object.keys(given).sort()).toEqual(['101', '200', '400', '401', '404', '408', '431'])
  await expect.poll(counted).toEqual(given)
})
