/** What becomes of traces on the way out: the collector, its absence, the settings, and what must never be in them. */
import { afterEach, expect, test } from 'vitest'
import { open } from '../../test/socket-client.ts'
import { closeTraced, collecting, SOON, tracedServer } from '../../test/traced-server.ts'
import { createOperatorLog } from './operator-log.ts'
import { tracesEndpoint } from './otel-settings.ts'
import { tracedLog } from './traced-log.ts'

afterEach(closeTraced)

const ABOUT_TRACES = /traces/

test('what is asked before the SDK has been read is sent, too', async () => {
  const { post, spans, lines } = await tracedServer({ ready: false })
  await post('/generate', { prompt: 'x' })
  expect(lines().some(({ msg }) => msg === 'traces are sent')).toBe(false)
  expect((await spans()).all).toHaveLength(2)
})

test('the last spans leave on close, before the next batch is due', async () => {
  const { post, collector, close } = await tracedServer({
    env: { OTEL_BSP_SCHEDULE_DELAY: '600000' },
  })
  await post('/generate', { prompt: 'x' })
  expect(collector.arrivals).toEqual([])
  await close()
  expect(collector.spans()).toHaveLength(2)
})

test('names, attributes and headers of OTEL_* reach the collector', async () => {
  const env = {
    OTEL_SERVICE_NAME: 'mine',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test,service.version=9',
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20of-the-collector',
  }
  const { post, collector, spans } = await tracedServer({ env })
  await post('/generate', { prompt: 'x' })
  const { all } = await spans()
  expect(all[0]?.resource).toMatchObject({
    'service.name': 'mine',
    'service.version': '9',
    'service.instance.id': expect.any(String),
    'deployment.environment.name': 'test',
  })
  const { path, headers } = collector.arrivals[0]!
  expect(path).toBe('/v1/traces')
  expect(headers).toMatchObject({ authorization: 'Bearer of-the-collector' })
})

test('protobuf, unless JSON is asked for', async () => {
  const { post, collector, close } = await tracedServer({
    env: { OTEL_EXPORTER_OTLP_PROTOCOL: '' },
  })
  await post('/v1/chat/completions', { messages: [{ role: 'user', content: 'hi' }] })
  await close()
  expect(collector.arrivals.map(({ headers }) => headers['content-type'])).toEqual(
    collector.arrivals.map(() => 'application/x-protobuf'),
  )
  const sent = Buffer.concat(collector.arrivals.map(({ body }) => body)).toString('latin1')
  expect(sent).toContain('POST /v1/chat/completions')
  expect(sent).toContain('chat fake/tiny-1')
})

test.each([
  [
    'grpc',
    { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
    /OTEL_EXPORTER_OTLP_PROTOCOL is "grpc".*http\/json.*OTEL_EXPORTER_OTLP_ENDPOINT.*4318/,
  ],
  [
    'no URL',
    { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'collector:4318' },
    /OTEL_EXPORTER_OTLP_TRACES_ENDPOINT must be a URL/,
  ],
])('%s: the log says what to set, and requests are answered', async (_, env, said) => {
  const { post, collector, close, lines } = await tracedServer({ env, ready: false })
  expect((await post('/generate', { prompt: 'x' })).status).toBe(200)
  await close()
  expect(collector.arrivals).toEqual([])
  const about = lines().filter(({ msg }) => ABOUT_TRACES.test(msg))
  expect(about).toMatchObject([{ level: 'error', msg: expect.stringMatching(said) }])
})

test('a setting that the SDK does not know is told', async () => {
  const { lines } = await tracedServer({ env: { OTEL_TRACES_SAMPLER: 'sometimes' } })
  const told = lines().filter(({ level }) => level === 'warn')
  expect(told).toMatchObject([{ msg: expect.stringContaining('OTEL_TRACES_SAMPLER') }])
})

test('a collector that fails is told of once, when it works again as well, and no request minds', async () => {
  const { post, collector, close, lines } = await tracedServer()
  const about = () => lines().flatMap(({ msg }) => (ABOUT_TRACES.test(msg) ? [msg] : []))
  const ask = async (until: () => unknown) => {
    expect((await post('/generate', { prompt: 'x' })).status).toBe(200)
    await expect.poll(until, SOON).toBeTruthy()
  }
  collector.status = 401
  for (let tries = 1; tries <= 3; tries++) await ask(() => collector.arrivals.length >= tries)
  await expect.poll(about, SOON).toHaveLength(2)
  collector.status = 200
  await ask(() => about().length === 3)
  expect(about()).toEqual([
    'traces are sent',
    'traces cannot be sent: Unauthorized (401)',
    'traces are sent again',
  ])
  await close()
  expect(about()).toHaveLength(3)
})

test('a collector that is not there is told of once', async () => {
  const env = { OTEL_EXPORTER_OTLP_TIMEOUT: '50' }
  const { post, collector, close, lines } = await tracedServer({ env })
  collector.close()
  for (let round = 0; round < 20; round++) {
    expect((await post('/generate', { prompt: 'x' })).status).toBe(200)
  }
  await close()
  const warned = lines().filter(({ level }) => level === 'warn')
  expect(warned).toMatchObject([{ msg: expect.stringContaining('ECONNREFUSED') }])
})

test('a collector that never answers is waited for at the end, but not long', async () => {
  const { post, collector, close, lines } = await tracedServer()
  collector.status = null
  expect((await post('/generate', { prompt: 'x' })).status).toBe(200)
  await close()
  const warned = lines().filter(({ level }) => level === 'warn')
  expect(warned).toMatchObject([{ msg: expect.stringContaining('not take the last spans') }])
})

test('no key, prompt, answer, address or header gets to the collector', async () => {
  const secret = 'sk-4242secret4242'
  const answer = 'answer4242secret'
  const { post, server, collector, close } = await tracedServer({
    fake: { words: [answer, answer] },
  })
  const headers = {
    authorization: `Bearer ${secret}`,
    'x-api-key': secret,
    cookie: secret,
    'user-agent': secret,
    referer: `http://localhost/${secret}`,
    'x-request-id': secret,
    traceparent: secret,
    tracestate: `a=${secret}`,
    baggage: `a=${secret}`,
    [secret]: secret,
  }
  const chat = { messages: [{ role: 'user', content: secret }] }
  for (const stream of [false, true]) {
    for (const path of [
      '/generate',
      '/chat/completions',
      '/v1/chat/completions',
      '/v1/completions',
    ]) {
      const isChat = path.includes('chat')
      const stop = path === '/generate' ? 'stop_sequences' : 'stop'
      const body = { ...(isChat ? chat : { prompt: secret }), stream, [stop]: [secret] }
      for (const broken of [{}, { model: secret }, { [secret]: secret }]) {
        await (await post(path, { ...body, ...broken }, headers)).text()
      }
    }
  }
  const paths = [
    `/${secret}`,
    `/v1/models/${secret}`,
    `/models/${secret}/stats`,
    `/health?q=${secret}`,
  ]
  for (const path of paths) await fetch(server.url + path, { headers })
  await post('/batch/jobs', { prompts: [secret], name: secret }, headers)
  const { send, ended } = await open(server, { headers: { traceparent: secret } })
  send({ type: 'generate', id: secret, data: { prompt: secret } })
  await ended(secret)
  await close()
  const kinds = collector.spans().map(({ kind }) => kind)
  expect(kinds.filter((kind) => kind === 'internal')).toHaveLength(8 + 1 + 1)
  // The last one is the handshake.
  expect(kinds.filter((kind) => kind === 'server')).toHaveLength(24 + paths.length + 1 + 1)
  const sent = Buffer.concat(collector.arrivals.map(({ body }) => body)).toString('utf8')
  // Ids and times are digits, too.
  expect(sent).not.toContain('4242secret')
})

test.each([
  [{}, false],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }, false],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c' }, true],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c' }, true],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_SDK_DISABLED: 'True' }, false],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_SDK_DISABLED: 'false' }, true],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_TRACES_EXPORTER: 'none' }, false],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_TRACES_EXPORTER: 'otlp' }, true],
])('%j: traces are wanted: %s', (env, wanted) => {
  expect(tracesEndpoint(env) !== null).toBe(wanted)
})

test('where no traces are wanted, the log is told as it is', async () => {
  const collector = await collecting({ OTEL_SDK_DISABLED: 'true' })
  const log = createOperatorLog({ format: 'json', level: 'info', write: () => {} })
  const traced = tracedLog(log, process.env)
  expect(traced).toMatchObject({ requested: log.requested, answered: log.answered })
  traced.open()
  await traced.close()
  expect(collector.arrivals).toEqual([])
})
