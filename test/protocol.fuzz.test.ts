/**
 * Requests, headers and frames that nobody would send: no crash, no hang, no 5xx, and nothing in the operator's log.
 * A few seconds of it by default; `FUZZ_RUNS=1000000` for a million requests in process (some ten minutes), and eighty
 * thousand connections each of requests and of frames. `FUZZ_SEED` repeats one.
 */
import { connect } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../server/app.ts'
import { askThrough } from '../server/batch/ask.ts'
import { Batches } from '../server/batch/batches.ts'
import { FakeEngine } from '../server/fake-engine.ts'
import { Lifecycle } from '../server/lifecycle.ts'
import { Models } from '../server/models/models.ts'
import { type RunningServer, serve } from '../server/serve.ts'
import { openState } from '../server/state.ts'
import { IN_MEMORY } from '../server/store/data-folder.ts'
import { Database } from '../server/store/database.ts'
import { frame, HANDSHAKE, post } from './raw-client.ts'
import { KEY } from './server-state.ts'
import { body, mutated, PATHS, strange, strangeRequest } from './strange-requests.ts'

const RUNS = Number(process.env.FUZZ_RUNS ?? 0)
const seed = process.env.FUZZ_SEED ? { seed: Number(process.env.FUZZ_SEED) } : {}
const runs = (few: number, share = 1) => ({ numRuns: Math.ceil(RUNS * share) || few, ...seed })
const TIME = RUNS > 0 ? 24 * 3600 * 1000 : 60_000
/** Far above what any of these may take: what is not over by then hangs. */
const HANG_MS = 10_000
/** Milliseconds of processor time that a request may take: waiting for a turn on a busy machine is none. */
const MOST_CPU = 1000

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

/** One application that is open, with a batch queue, and one that wants a key. */
async function applications() {
  const lifecycle = new Lifecycle(Models.of(new FakeEngine(ENGINE)))
  const settings = { lifecycle, log, allowedHosts: null }
  const database = await Database.open(IN_MEMORY)
  const batches = new Batches(
    database,
    askThrough(() => open),
    { width: 4, log },
  )
  const open = createApp({ ...settings, batches })
  const state = await openState({ file: IN_MEMORY, log })
  const { secret } = await state.credentials.create(KEY)
  const closed = createApp({ ...settings, state })
  const end = async () => {
    await batches.stop()
    await state.close()
    await database.closeWhenIdle()
  }
  return { open, closed, secret, end }
}

test('bodies, paths and headers, in process', { timeout: TIME }, async () => {
  const { open, closed, secret, end } = await applications()
  let slowest = 0
  const statuses: Record<number, number> = {}
  const who = fc.constantFrom(
    'anybody',
    'anybody',
    'anybody',
    'with a key',
    'without',
  ) as fc.Arbitrary<'anybody' | 'with a key' | 'without'>
  await fc.assert(
    fc.asyncProperty(strangeRequest, who, async ({ method, where, headers, bytes }, whose) => {
      const key = whose === 'with a key' ? [['authorization', `Bearer ${secret}`]] : []
      const heads = [...Object.entries(headers).filter(isHeader), ...key] as [string, string][]
      const init: RequestInit = { method, headers: Object.fromEntries(heads) }
      if (method !== 'GET' && method !== 'HEAD') init.body = new Uint8Array(bytes)
      const request = new Request(new URL(where, 'http://127.0.0.1'), init)
      const before = process.cpuUsage()
      const answer = async () => {
        const response = await (whose === 'anybody' ? open : closed).fetch(request)
        return { status: response.status, text: await response.text() }
      }
      const { status, text } = await inTime(answer(), `${method} ${where}`)
      const { user, system } = process.cpuUsage(before)
      slowest = Math.max(slowest, (user + system) / 1000)
      statuses[status] = (statuses[status] ?? 0) + 1
      // The one with keys has no batch queue, and says so.
      const isOff = status === 503 && whose !== 'anybody' && /batch/.test(text)
      expect(isOff || status < 500, `${status} ${text}`).toBe(true)
    }),
    runs(400),
  )
  await end()
  expect(logged).toEqual([])
  if (RUNS > 0)
    console.log(`the slowest took ${slowest.toFixed(0)} ms of processor time;`, statuses)
  expect(slowest).toBeLessThan(MOST_CPU)
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
    runs(25, 1 / 100),
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
    runs(25, 1 / 100),
  )
  await isWell()
})

async function isWell(): Promise<void> {
  expect((await fetch(`${server.url}/health`)).status).toBe(200)
  await expect.poll(() => engine.stats.running, { timeout: 5000 }).toBe(0)
  expect(logged).toEqual([])
}
