/**
 * Requests, headers and frames that nobody would send: no crash, no hang, no 5xx, and nothing in the operator's log.
 * A few seconds of it by default; `FUZZ_RUNS=1000000` for as long as one likes.
 */
import { connect } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../server/app.ts'
import { FakeEngine } from '../server/fake-engine.ts'
import { Lifecycle } from '../server/lifecycle.ts'
import { Models } from '../server/models/models.ts'
import { type RunningServer, serve } from '../server/serve.ts'
import { frame, HANDSHAKE, post } from './raw-client.ts'
import { body, headers, method, mutated, PATHS, path, strange } from './strange-requests.ts'

const RUNS = Number(process.env.FUZZ_RUNS ?? 0)
const runs = (few: number) => ({ numRuns: RUNS || few })
const TIME = RUNS > 0 ? 24 * 3600 * 1000 : 60_000
/** Far above what any of these may take: what is not over by then hangs. */
const HANG_MS = 10_000

/** Small, so that an answer that goes on to its end is short. */
const ENGINE = { words: ['a', ' 💡'], contextLength: 96 }
const engine = new FakeEngine(ENGINE)
const logged: string[] = []
const log = (line: string) => logged.push(line)
let server: RunningServer
let port: number

beforeAll(async () => {
  const limits = { headersMs: 2000, requestMs: 3000 }
  server = await serve({ port: 0, load: async () => engine, log, limits, drainSeconds: 1 })
  await server.ready
  port = Number(new URL(server.url).port)
})
afterAll(() => server.close())

async function inTime<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const hangs = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`hangs: ${what}`)), HANG_MS)
  })
  return Promise.race([promise, hangs]).finally(() => clearTimeout(timer))
}

const isHeader = ([name, value]: [string, string]): boolean => {
  try {
    new Headers([[name, value]])
    return true
  } catch {
    return false
  }
}

test('bodies, paths and headers, in process', { timeout: TIME }, async () => {
  const app = createApp({
    lifecycle: new Lifecycle(Models.of(new FakeEngine(ENGINE))),
    log,
    allowedHosts: null,
  })
  const bytes = fc.oneof(
    body.map((text) => Buffer.from(text)),
    mutated(body.map((text) => Buffer.from(text))),
  )
  await fc.assert(
    fc.asyncProperty(method, path, headers, bytes, async (verb, where, heads, sent) => {
      const init: RequestInit = { method: verb, headers: Object.entries(heads).filter(isHeader) }
      if (verb !== 'GET' && verb !== 'HEAD') init.body = new Uint8Array(sent)
      const request = new Request(new URL(where, 'http://127.0.0.1'), init)
      const response = await app.fetch(request)
      const text = await inTime(response.text(), `${verb} ${where}`)
      // The test's server has no batch queue, and says so.
      const isOff = response.status === 503 && /batch/.test(text)
      expect(isOff || response.status < 500, `${response.status} ${text}`).toBe(true)
    }),
    runs(400),
  )
  expect(logged).toEqual([])
})

/** Sends bytes and no more, and gathers what comes back. */
function exchange(bytes: Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.on('data', (chunk) => (text += chunk.toString('latin1')))
  socket.on('error', () => {})
  // Nearly all of them ask to be answered before the client goes; some never would be.
  socket.write(bytes, () => setTimeout(() => socket.end(), 20))
  return inTime(
    new Promise((resolve) => socket.once('close', () => resolve(text))),
    bytes.toString('latin1'),
  )
}

test('requests as bytes, over sockets', { timeout: TIME }, async () => {
  const request = fc
    .tuple(fc.constantFrom(...PATHS), body)
    .map(([where, text]) => Buffer.from(post(where, JSON.parse(text) as object)))
  const one = fc
    .array(mutated(request), { minLength: 1, maxLength: 2 })
    .map((all) => Buffer.concat(all))
  await fc.assert(
    fc.asyncProperty(fc.array(one, { minLength: 8, maxLength: 8 }), async (all) => {
      for (const text of await Promise.all(all.map(exchange))) {
        expect(text).not.toMatch(/^HTTP\/1\.1 5(?!03 )/m)
      }
    }),
    runs(25),
  )
  await isWell()
})

test('frames, over sockets', { timeout: TIME }, async () => {
  const message = fc
    .tuple(
      fc.constantFrom('generate', 'chat', 'auth', 'cancel', 'x'),
      fc.option(strange),
      body,
      fc.constantFrom('data', 'token', 'x'),
    )
    .map(([type, id, data, name]) =>
      frame({ type, ...(id === null ? {} : { id }), [name]: JSON.parse(data) as unknown }),
    )
  const one = fc
    .array(
      fc.oneof(
        message,
        mutated(message),
        fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
      ),
      { maxLength: 5 },
    )
    .map((frames) => Buffer.concat([Buffer.from(HANDSHAKE), ...frames]))
  await fc.assert(
    fc.asyncProperty(fc.array(one, { minLength: 8, maxLength: 8 }), async (all) => {
      for (const text of await Promise.all(all.map(exchange))) {
        expect(text).toMatch(/^HTTP\/1\.1 101 /)
        expect(text).not.toContain('internal_error')
      }
    }),
    runs(25),
  )
  await isWell()
})

async function isWell(): Promise<void> {
  expect((await fetch(`${server.url}/health`)).status).toBe(200)
  await expect.poll(() => engine.stats.running, { timeout: 5000 }).toBe(0)
  expect(logged).toEqual([])
}
