/** What a collector is told: a span for each HTTP request and for each answer, with the numbers that clients were told. */
import { afterEach, expect, test } from 'vitest'
import { open } from '../../test/socket-client.ts'
import { closeTraced, SOON, tracedServer } from '../../test/traced-server.ts'

afterEach(closeTraced)

const MODEL = 'fake/tiny-1'
const CHAT = { messages: [{ role: 'user', content: 'hello' }] }
const PARENT = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }
const TRACEPARENT = `00-${PARENT.traceId}-${PARENT.spanId}-01`

interface Whole {
  id: string
  choices: { finish_reason: string }[]
  usage: {
    prompt_tokens: number
    completion_tokens: number
    prompt_tokens_details: { cached_tokens: number }
  }
}

/** The attributes of an answer whose client was told this. */
const told = ({ id, usage, choices }: Whole) => ({
  'gen_ai.response.id': id,
  'gen_ai.response.finish_reasons': choices.map(({ finish_reason }) => finish_reason),
  'gen_ai.usage.input_tokens': usage.prompt_tokens,
  'gen_ai.usage.cache_read.input_tokens': usage.prompt_tokens_details.cached_tokens,
  'gen_ai.usage.output_tokens': usage.completion_tokens,
})

test('a request is a server span, its answer a child with the usage that the client was told', async () => {
  const { post, spans, lines } = await tracedServer()
  const response = await post('/v1/chat/completions', CHAT, { 'x-request-id': 'mine' })
  const whole = (await response.json()) as Whole
  const { all, requests, answers } = await spans()
  expect(all).toHaveLength(2)
  const [request, answer] = [requests[0]!, answers[0]!]
  expect(request).toMatchObject({
    name: 'POST /v1/chat/completions',
    parent: null,
    isError: false,
    resource: { 'service.name': 'illuminator', 'telemetry.sdk.language': 'nodejs' },
  })
  expect(request.attributes).toEqual({
    'http.request.method': 'POST',
    'http.response.status_code': 200,
    'http.route': '/v1/chat/completions',
    'url.path': '/v1/chat/completions',
    'url.scheme': 'http',
    'illuminator.request_id': 'mine',
  })
  expect(answer).toMatchObject({
    name: `chat ${MODEL}`,
    traceId: request.traceId,
    parent: request.spanId,
    isError: false,
  })
  expect(answer.attributes).toEqual({
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'illuminator',
    'gen_ai.request.model': MODEL,
    'gen_ai.response.model': MODEL,
    'gen_ai.response.time_to_first_chunk': expect.any(Number),
    ...told(whole),
    'illuminator.origin': 'http',
    'illuminator.outcome': 'completed',
    'illuminator.request_id': 'mine',
  })
  expect(answer.start).toBeGreaterThanOrEqual(request.start)
  expect(answer.end).toBeLessThanOrEqual(request.end)
  const line = lines().find(({ msg }) => msg === 'POST /v1/chat/completions 200')
  expect(line).toMatchObject({ request_id: 'mine', trace_id: request.traceId })
})

test('a stream is told of when it is over, choices in their order', async () => {
  const { post, spans } = await tracedServer({ fake: { words: ['a', 'b', 'c'] } })
  const body = { ...CHAT, stream: true, n: 2, stream_options: { include_usage: true } }
  const text = await (await post('/v1/chat/completions', body)).text()
  const chunks = [...text.matchAll(/^data: (\{.*)$/gm)].map(([, data = '']) => JSON.parse(data))
  const { id, usage } = chunks.at(-1) as Whole
  const { answers } = await spans()
  expect(answers).toHaveLength(1)
  const choices = [{ finish_reason: 'stop' }, { finish_reason: 'stop' }]
  expect(answers[0]!.attributes).toMatchObject(told({ id, usage, choices }))
  expect(usage.completion_tokens).toBe(6)
})

test('every endpoint that answers has its operation', async () => {
  const { post, spans } = await tracedServer()
  await post('/generate', { prompt: 'x' })
  await post('/v1/completions', { prompt: ['x', 'y'], max_tokens: 2 })
  await post('/chat/completions', CHAT)
  const { requests, answers } = await spans()
  expect(requests.map(({ name }) => name)).toEqual([
    'POST /generate',
    'POST /v1/completions',
    'POST /chat/completions',
  ])
  expect(answers.map(({ name }) => name)).toEqual([
    `text_completion ${MODEL}`,
    `text_completion ${MODEL}`,
    `chat ${MODEL}`,
  ])
  expect(answers[1]!.attributes).toMatchObject({
    'gen_ai.response.finish_reasons': ['length', 'length'],
    'gen_ai.usage.input_tokens': 2,
    'gen_ai.usage.output_tokens': 4,
  })
})

test('errors have the code that the client saw; only our own make the span an error', async () => {
  const failAfter = { tokens: 1, error: new Error('driver says no') }
  const { post, server, spans } = await tracedServer({ fake: { failAfter } })
  await post('/generate', '{')
  await post('/generate', { prompt: 'x', model: 'other' })
  await fetch(`${server.url}/nothing/here?q=1`, { method: 'PROPFIND' })
  await post('/generate', { prompt: 'x' })
  await (await post('/generate', { prompt: 'x', stream: true })).text()
  const { requests, answers } = await spans()
  const facts = requests.map(({ name, isError, attributes }) => [
    name,
    attributes['http.response.status_code'],
    attributes['error.type'],
    isError,
  ])
  expect(facts).toEqual([
    ['POST /generate', 400, 'invalid_json', false],
    ['POST /generate', 404, 'model_not_found', false],
    ['HTTP', 404, 'not_found', false],
    ['POST /generate', 500, 'internal_error', true],
    ['POST /generate', 200, 'internal_error', true],
  ])
  expect(requests[2]!.attributes).not.toHaveProperty('url.path')
  expect(requests[2]!.attributes).toMatchObject({ 'http.request.method': '_OTHER' })
  expect(answers).toHaveLength(2)
  for (const { isError, attributes } of answers) {
    expect(isError).toBe(true)
    expect(attributes).toMatchObject({
      'error.type': 'internal_error',
      'illuminator.outcome': 'failed',
      'gen_ai.usage.output_tokens': 1,
    })
    expect(attributes).not.toHaveProperty('gen_ai.response.finish_reasons')
  }
})

test.each([true, false])(
  'a client that leaves (stream: %s) is no error of ours',
  async (stream) => {
    const words = Array<string>(5000).fill('a')
    const { engine, server, spans, lines } = await tracedServer({ fake: { rate: 200, words } })
    const leaving = new AbortController()
    const asked = fetch(`${server.url}/generate`, {
      method: 'POST',
      body: JSON.stringify({ prompt: 'x', max_tokens: 5000, stream }),
      signal: leaving.signal,
    }).then((response) => response.text())
    await expect.poll(() => engine.tokens, SOON).toBeGreaterThan(2)
    leaving.abort()
    await expect(asked).rejects.toThrow()
    await expect.poll(lines, SOON).toHaveLength(2)
    const { answers, requests } = await spans()
    expect([answers.length, requests.length]).toEqual([1, 1])
    expect(answers[0]).toMatchObject({
      parent: requests[0]!.spanId,
      isError: false,
      attributes: { 'error.type': 'cancelled', 'illuminator.outcome': 'cancelled' },
    })
    const counted = lines().find(({ outcome }) => outcome === 'cancelled')
    expect(answers[0]!.attributes['gen_ai.usage.output_tokens']).toBe(counted?.completion_tokens)
    expect(requests[0]!.isError).toBe(false)
  },
)

test('a client’s trace goes on, over HTTP and over a socket', async () => {
  const { post, server, spans, lines } = await tracedServer()
  await post('/generate', { prompt: 'x' }, { traceparent: TRACEPARENT })
  const { send, ended, socket } = await open(server, { headers: { traceparent: TRACEPARENT } })
  send({ type: 'chat', id: 'a', data: CHAT })
  await ended('a')
  send({ type: 'generate', id: 'b', data: { prompt: 'xyz', max_tokens: 2 } })
  const last = await ended('b')
  socket.close()
  const { all, answers, requests } = await spans()
  expect(all).toHaveLength(5)
  expect(requests.map(({ name }) => name)).toEqual(['POST /generate', 'GET /ws'])
  expect(requests[0]).toMatchObject({ traceId: PARENT.traceId, parent: PARENT.spanId })
  expect(answers[0]).toMatchObject({ traceId: PARENT.traceId, parent: requests[0]!.spanId })
  const sockets = answers.filter(
    ({ attributes }) => attributes['illuminator.origin'] === 'websocket',
  )
  expect(sockets.map(({ name }) => name)).toEqual([`chat ${MODEL}`, `text_completion ${MODEL}`])
  for (const span of sockets)
    expect(span).toMatchObject({ ...PARENT, spanId: span.spanId, parent: PARENT.spanId })
  expect(last).toMatchObject({ data: { usage: { prompt_tokens: 3, completion_tokens: 2 } } })
  expect(sockets[1]!.attributes).toMatchObject({
    'gen_ai.usage.input_tokens': 3,
    'gen_ai.usage.output_tokens': 2,
  })
  const traceIds = lines().flatMap(({ trace_id }) => (trace_id === undefined ? [] : [trace_id]))
  expect(traceIds).toEqual(Array(4).fill(PARENT.traceId))
})

test.each([
  ['not sampled by its caller', `00-${PARENT.traceId}-${PARENT.spanId}-00`, {}, null],
  ['never sampled', undefined, { OTEL_TRACES_SAMPLER: 'always_off' }, null],
  ['not a traceparent', 'sk-secret', {}, 'new'],
  ['of nobody', `00-${'0'.repeat(32)}-${PARENT.spanId}-01`, {}, 'new'],
  ['not to be continued', TRACEPARENT, { OTEL_PROPAGATORS: 'none' }, 'new'],
  ['to be continued', TRACEPARENT, { OTEL_PROPAGATORS: 'baggage, tracecontext' }, 'continued'],
])('a trace that is %s', async (_, traceparent, env, wanted) => {
  const { post, spans } = await tracedServer({ env })
  await post('/generate', { prompt: 'x' }, traceparent === undefined ? {} : { traceparent })
  const { all, requests } = await spans()
  expect(all).toHaveLength(wanted === null ? 0 : 2)
  if (wanted === null) return
  expect(requests[0]!.parent).toBe(wanted === 'new' ? null : PARENT.spanId)
  expect(requests[0]!.traceId === PARENT.traceId).toBe(wanted === 'continued')
})

test('the prompts of a batch are answers of their own, and no HTTP requests', async () => {
  const { post, server, spans } = await tracedServer()
  const prompts = ['x', 'xy', 'xyz']
  const job = (await (await post('/batch/jobs', { prompts })).json()) as { id: string }
  const status = async () => {
    const response = await fetch(`${server.url}/batch/jobs/${job.id}`)
    return ((await response.json()) as { status: string }).status
  }
  await expect.poll(status, SOON).toBe('completed')
  const { answers, requests } = await spans()
  const batch = answers.map(({ attributes, parent }) => [
    parent,
    attributes['illuminator.origin'],
    attributes['gen_ai.usage.input_tokens'],
  ])
  expect(batch.sort()).toEqual([1, 2, 3].map((tokens) => [null, 'batch', tokens]))
  expect(new Set(requests.map(({ name }) => name))).toEqual(
    new Set(['POST /batch/jobs', 'GET /batch/jobs/{id}']),
  )
})
