/** What holds on every route: facts, tokens, ids, errors, who may call, and that no body brings the server down. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EngineError } from '../engine/errors.ts'
import { json, testApp, type WireError } from '../test/server-app.ts'
import { createApp } from './app.ts'
import { healthResponse, infoResponse, modelsResponse } from './contract/facts.ts'
import { OPERATIONS } from './contract/openapi.ts'
import { MAX_BODY_BYTES } from './contract/parse.ts'
import { Lifecycle } from './lifecycle.ts'
import type { ModelSource } from './models/model-source.ts'
import { Models } from './models/models.ts'

test('health, probes, info and models have the contract’s shape', async () => {
  const { app } = testApp()
  const health = await app.request('/health')
  expect(health.status).toBe(200)
  const state = await json<object>(health)
  expect(healthResponse.strict().safeParse(state).error).toBeUndefined()
  expect(state).toMatchObject({
    status: 'healthy',
    model_loaded: true,
    gpu_available: false,
    memory_usage: { gpu_memory_used: '131.2MB', gpu_memory_total: null },
  })
  for (const probe of ['/health/live', '/health/ready']) {
    expect((await app.request(probe)).status).toBe(200)
  }
  const info = await json<object>(await app.request('/info'))
  expect(infoResponse.strict().safeParse(info).error).toBeUndefined()
  expect(info).toMatchObject({ parameters: '135M', architecture: { d_model: 576 } })
  for (const path of ['/models', '/v1/models']) {
    const models = await json<object>(await app.request(path))
    expect(modelsResponse.strict().safeParse(models).error).toBeUndefined()
    expect(models).toMatchObject({
      object: 'list',
      data: [{ id: 'fake/tiny-1', object: 'model' }],
      models: [{ id: 'fake/tiny-1', status: 'available' }],
    })
  }
  for (const id of ['fake/tiny-1', 'fake%2Ftiny-1', 'tiny']) {
    expect(await json(await app.request(`/v1/models/${id}`))).toMatchObject({ id: 'fake/tiny-1' })
  }
})

test('tokenize counts code points; detokenize undoes it', async () => {
  const { post } = testApp()
  const text = 'é💡!'
  const there = await json<{ tokens: number[] }>(await post('/tokenize', { text }))
  expect(there).toEqual({ tokens: [233, 0x1f4a1, 33], token_count: 3, text_length: 3 })
  const back = await json(await post('/detokenize', { tokens: there.tokens }))
  expect(back).toEqual({ text, token_count: 3 })
  expect((await post('/detokenize', { tokens: [1e9] })).status).toBe(422)
  expect((await post('/tokenize', {})).status).toBe(422)
})

test('while loading: health tells how far, work waits for as long as it may', async () => {
  const load: ModelSource['load'] = ({ onProgress }) => {
    onProgress({ phase: 'weights', done: 1, total: 4 })
    return new Promise(() => undefined)
  }
  const models = new Models({ pinned: [{ load }] })
  const app = createApp({ lifecycle: new Lifecycle(models), timeoutMs: 20 })
  void models.loadPinned()
  await Promise.resolve()
  const health = await app.request('/health')
  expect(health.status).toBe(503)
  expect(await json(health)).toMatchObject({
    status: 'loading',
    model_loaded: false,
    gpu_available: null,
    progress: { phase: 'weights', percent: 25 },
  })
  expect((await app.request('/health/live')).status).toBe(200)
  for (const path of ['/health/ready', '/info', '/v1/models']) {
    expect((await app.request(path)).status).toBe(503)
  }
  const work = await app.request('/generate', { method: 'POST', body: '{"prompt":"x"}' })
  expect(work.status).toBe(504)
  expect((await json<WireError>(work)).error.code).toBe('timeout')
})

test('while draining: health says so and new work is refused', async () => {
  const { app, lifecycle, post } = testApp()
  await lifecycle.drain(1000)
  expect(await json(await app.request('/health'))).toMatchObject({ status: 'draining' })
  expect((await post('/generate', { prompt: 'x' })).status).toBe(503)
})

test('malformed JSON is 400 in both dialects', async () => {
  const { post } = testApp()
  for (const body of ['', '{', '{"prompt":', 'nul', '\ufeff{}x', '['.repeat(100_000)]) {
    for (const path of ['/generate', '/v1/completions']) {
      const response = await post(path, body)
      expect(response.status).toBe(400)
      expect((await json<WireError>(response)).error.code).toBe('invalid_json')
    }
  }
  const latin = await post('/generate', '', { body: new Uint8Array([0x22, 0xff, 0x22]) })
  expect(latin.status).toBe(400)
  for (const body of ['null', '[]', '3', '"x"']) {
    expect((await post('/generate', body)).status).toBe(422)
    expect((await post('/v1/completions', body)).status).toBe(400)
  }
})

test('bodies nested a million deep are refused like any other', async () => {
  const { post } = testApp()
  const deep = `${'['.repeat(1e6)}${']'.repeat(1e6)}`
  for (const name of ['prompt', 'tools', 'stop', 'metadata', 'stream_options', 'unheard_of']) {
    const response = await post('/v1/completions', `{"${name}":${deep}}`)
    expect(response.status).toBe(400)
  }
})

test('a body beyond the cap is 413, with a stated length and without', async () => {
  const { post } = testApp()
  const big = JSON.stringify({ text: 'x'.repeat(MAX_BODY_BYTES) })
  expect((await post('/tokenize', big)).status).toBe(413)
  const stream = new Blob([big]).stream()
  const init = { body: stream, duplex: 'half' } as RequestInit
  expect((await post('/tokenize', '', init)).status).toBe(413)
})

test('an unknown model is 404 and says what is served', async () => {
  const { post } = testApp()
  for (const [path, type] of [
    ['/generate', 'model_error'],
    ['/v1/completions', 'invalid_request_error'],
  ] as const) {
    const response = await post(path, { prompt: 'x', model: 'gpt-9' })
    expect(response.status).toBe(404)
    const { error } = await json<WireError>(response)
    expect(error).toMatchObject({ type, code: 'model_not_found', param: 'model' })
    expect(error.message).toContain('fake/tiny-1')
  }
})

test('unknown paths and methods keep the shape', async () => {
  const { app } = testApp()
  const nowhere = await app.request('/v1/nothing')
  expect(nowhere.status).toBe(404)
  expect((await json<WireError>(nowhere)).error.type).toBe('invalid_request_error')
  const wrong = await app.request('/generate')
  expect(wrong.status).toBe(405)
  expect(wrong.headers.get('allow')).toBe('POST')
  expect((await json<WireError>(wrong)).error).toMatchObject({ param: null })
  expect((await app.request('/v1/models/x', { method: 'DELETE' })).headers.get('allow')).toBe(
    'GET, HEAD',
  )
})

test('request ids are echoed clean, made when absent', async () => {
  const { app } = testApp()
  const id = async (given?: string) => {
    const headers = given === undefined ? {} : { 'x-request-id': given }
    return (await app.request('/nothing', { headers })).headers.get('x-request-id')
  }
  expect(await id('abc-1.2:3')).toBe('abc-1.2:3')
  expect(await id('a b<script>\u00e9')).toBe('abscript')
  expect(await id('x'.repeat(500))).toHaveLength(128)
  expect(await id()).toMatch(/^req_[0-9a-f]{32}$/)
  expect(await id('!!!')).toMatch(/^req_/)
  expect(await id('sk-0123')).toMatch(/^req_/)
})

test('other sites’ Host and Origin are refused', async () => {
  const { app } = testApp()
  const status = async (headers: Record<string, string>) =>
    (await app.request('/health', { headers })).status
  for (const host of ['localhost:8000', '127.0.0.1', '127.9.9.9:1', '[::1]:8000', 'LOCALHOST']) {
    expect(await status({ host })).toBe(200)
  }
  for (const host of [
    'evil.example',
    'evil.example:8000',
    '127.0.0.1.evil.example',
    'a@evil',
    '',
  ]) {
    expect(await status({ host })).toBe(403)
  }
  const host = '127.0.0.1:8000'
  expect(await status({ host, origin: 'http://localhost:3000' })).toBe(200)
  expect(await status({ host, origin: 'https://evil.example' })).toBe(403)
  expect(await status({ host, origin: 'null' })).toBe(403)
  const open = createApp({ lifecycle: new Lifecycle(new Models({})), allowedHosts: null })
  expect((await open.request('/health/live', { headers: { host: 'any.example' } })).status).toBe(
    200,
  )
  const named = createApp({
    lifecycle: new Lifecycle(new Models({})),
    allowedHosts: ['llm.example'],
  })
  expect((await named.request('/health/live', { headers: { host: 'llm.example' } })).status).toBe(
    200,
  )
})

test('an error of our own tells the log, not the client', async () => {
  const { engine, logged, post } = testApp()
  for (const error of [new Error('secret at /home/me'), new EngineError('model', 'secret file')]) {
    engine.generate = () => {
      throw error
    }
    const response = await post('/generate', { prompt: 'x' })
    expect(response.status).toBe(500)
    const text = await response.text()
    expect(text).not.toContain('secret')
    expect(logged.join()).toContain(error.message)
  }
})

test('no body whatever gives a 5xx', async () => {
  const { post } = testApp()
  const paths = OPERATIONS.filter(({ method }) => method === 'post').map(({ path }) => path)
  const names = OPERATIONS.flatMap(({ request }) =>
    request && 'shape' in request ? Object.keys(request.shape as object) : [],
  )
  const odd = fc.constantFrom(null, -1, 0, 1, 2 ** 53, 1e308, '', '1', true, [], {}, [null], [[0]])
  const plausible = fc.constantFrom<unknown>('x', [1], [{ role: 'user', content: 'x' }], ['x'])
  const value = fc.oneof(odd, plausible, fc.jsonValue({ maxDepth: 3 }))
  const body = fc.oneof(
    { weight: 5, arbitrary: fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 6 }) },
    { weight: 1, arbitrary: fc.jsonValue() },
    { weight: 1, arbitrary: fc.dictionary(fc.string(), value) },
  )
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), body, async (path, sent) => {
      const response = await post(path, sent)
      const text = await response.text()
      expect(response.status, text).toBeLessThan(500)
      if (response.status === 200) return
      const { error } = JSON.parse(text) as WireError
      expect(typeof error.code).toBe('string')
      expect(error).toHaveProperty('param')
      expect(error.request_id).toBe(response.headers.get('x-request-id'))
    }),
    { numRuns: 600 },
  )
})
