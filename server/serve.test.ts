/** What only a socket shows: listening before loading, clients that leave, and shutdown. */
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { EngineError } from '../engine/errors.ts'
import { FakeEngine, type FakeOptions } from './fake-engine.ts'
import { type RunningServer, type ServeOptions, serve } from './serve.ts'

const running: RunningServer[] = []

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()))
})

const LONG = { rate: 100, words: Array<string>(5000).fill('a') }

async function start(fake: FakeOptions = {}, options: Partial<ServeOptions> = {}) {
  const engine = new FakeEngine(fake)
  const server = await serve({ port: 0, load: async () => engine, log: () => {}, ...options })
  running.push(server)
  return { engine, server }
}

/** Sends a request by hand, so that the test decides when and how the connection ends. */
function rawPost(url: string, path: string, body: object) {
  const { hostname, port } = new URL(url)
  const text = JSON.stringify(body)
  const socket = connect(Number(port), hostname)
  socket.write(
    `POST ${path} HTTP/1.1\r\nhost: ${hostname}:${port}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  )
  return socket
}

test('listens first and loads afterwards', async () => {
  let finish: (engine: FakeEngine) => void = () => {}
  const { server } = await start(
    {},
    {
      load: ({ onProgress }) => {
        onProgress({ phase: 'weights', done: 3, total: 4 })
        return new Promise((resolve) => {
          finish = resolve
        })
      },
    },
  )
  expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  const loading = await fetch(`${server.url}/health`)
  expect(loading.status).toBe(503)
  expect(await loading.json()).toMatchObject({ status: 'loading', progress: { percent: 75 } })
  finish(new FakeEngine())
  await server.ready
  expect((await fetch(`${server.url}/health`)).status).toBe(200)
})

test('who comes before the application is there waits for it, a moment', async () => {
  const early: Promise<Response>[] = []
  const onListening = (url: string) => {
    for (const path of ['/health/live', '/v1/models']) early.push(fetch(url + path))
  }
  await start({}, { onListening })
  expect(early).toHaveLength(2)
  expect((await Promise.all(early)).map(({ status }) => status)).toEqual([200, 200])
})

test('state that cannot be opened frees the port, and nobody is left waiting', async () => {
  const early: Promise<unknown>[] = []
  let at = ''
  const onListening = (url: string) => {
    at = url
    early.push(fetch(`${url}/health`))
  }
  const data = join(import.meta.filename, 'no folder')
  await expect(start({}, { data, onListening })).rejects.toThrow(/--data/)
  await expect(early[0]).rejects.toThrow()
  const { server } = await start({}, { port: Number(new URL(at).port) })
  expect(server.url).toBe(at)
})

test('a failed load closes the server and says why', async () => {
  const error = new EngineError('model', 'config.json is not JSON')
  const { server } = await start({}, { load: () => Promise.reject(error) })
  await expect(server.ready).rejects.toBe(error)
  await server.closed
  await expect(fetch(`${server.url}/health`)).rejects.toThrow()
})

test.each([
  ['streamed', true, 'end'],
  ['streamed', true, 'destroy'],
  ['streamed', true, 'resetAndDestroy'],
  ['whole', false, 'destroy'],
  ['whole', false, 'resetAndDestroy'],
] as const)('a client that leaves a %s answer (%s, %s) ends the work', async (_, stream, how) => {
  const { engine, server } = await start(LONG)
  await server.ready
  const body = { prompt: 'x', max_tokens: 5000, stream }
  const socket = rawPost(server.url, '/generate', body)
  socket.resume()
  await expect.poll(() => engine.tokens).toBeGreaterThan(2)
  if (how === 'end') socket.destroySoon()
  else socket[how]()
  await expect.poll(() => engine.stats.running).toBe(0)
  expect(engine.aborted).toBe(1)
  expect(engine.tokens).toBeLessThan(300)
  const after = engine.tokens
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(engine.tokens).toBe(after)
})

test('fetch sees whole streams, one after the other on one connection', async () => {
  const { server } = await start({ words: ['a', 'b'] })
  await server.ready
  for (let round = 0; round < 3; round++) {
    const response = await fetch(`${server.url}/generate`, {
      method: 'POST',
      body: JSON.stringify({ prompt: 'x', stream: true }),
    })
    const text = await response.text()
    expect(text).toMatch(/^: keep-alive\n\ndata: {"token":"a","index":0}\n\n/)
    expect(text).toMatch(/data: \[DONE\]\n\n$/)
  }
})

test('closing lets an answer finish, refuses new work, and closes the engine', async () => {
  const { engine, server } = await start({ rate: 40, words: Array<string>(20).fill('a') })
  await server.ready
  const post = () =>
    fetch(`${server.url}/generate`, {
      method: 'POST',
      body: JSON.stringify({ prompt: 'x', stream: true }),
    })
  const response = await post()
  const closing = server.close()
  const health = await fetch(`${server.url}/health`)
  expect(health.status).toBe(503)
  expect(await health.json()).toMatchObject({ status: 'draining' })
  expect((await post()).status).toBe(503)
  expect(engine.closed).toBe(false)
  expect(await response.text()).toMatch(/data: \[DONE\]\n\n$/)
  await closing
  expect(engine.closed).toBe(true)
  expect(engine.aborted).toBe(0)
})

test('a drain that runs out of time ends streams with an error frame', async () => {
  const { engine, server } = await start(LONG, { drainSeconds: 0.1 })
  await server.ready
  const response = await fetch(`${server.url}/v1/completions`, {
    method: 'POST',
    body: JSON.stringify({ prompt: 'x', stream: true, max_tokens: 5000 }),
  })
  const started = performance.now()
  const closing = server.close()
  const text = await response.text()
  expect(text).toMatch(/data: {"error":{"type":"model_error","code":"draining".*\n\n$/)
  await closing
  expect(performance.now() - started).toBeLessThan(2000)
  expect(engine.aborted).toBe(1)
})

test('closing while the model loads stops the load', async () => {
  const { server } = await start(
    {},
    {
      load: ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(new EngineError('aborted', 'stopped')))
        }),
    },
  )
  await server.close()
  await expect(server.ready).rejects.toThrow('shutting down')
})

test('an engine that never closes is left behind, and the operator is told', async () => {
  const told: string[] = []
  const { engine, server } = await start({}, { closeMs: 20, log: (line) => told.push(line) })
  await server.ready
  engine.close = () => new Promise(() => undefined)
  await server.close()
  expect(told).toEqual([expect.stringContaining('did not close in time')])
})

test('a port in use and a reachable host are refused clearly', async () => {
  const { server } = await start()
  const port = Number(new URL(server.url).port)
  const load = async () => new FakeEngine()
  await expect(serve({ port, load })).rejects.toThrow(/already in use.*--port/)
  await expect(serve({ host: '0.0.0.0', port: 0, load })).rejects.toThrow(/--insecure/)
  await expect(serve({ host: '203.0.113.7', port: 0, load, insecure: true })).rejects.toThrow(
    /--host/,
  )
  const { server: open } = await start({}, { host: '0.0.0.0', insecure: true })
  expect(open.url).toMatch(/127\.0\.0\.1/)
})

test('a Host header that is no host is a 400 in shape', async () => {
  const { server } = await start()
  const { port } = new URL(server.url)
  const socket = connect(Number(port), '127.0.0.1')
  socket.end('GET /health HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n')
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  expect(text).toMatch(/^HTTP\/1\.1 400/)
  expect(text).toContain('"request_id"')
})
