/** One line a request, and nothing in it that a client could have put there but its id. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createApp } from '../app.ts'
import { ANYONE } from '../auth/caller.ts'
import { FakeEngine, type FakeOptions } from '../fake-engine.ts'
import { Lifecycle } from '../lifecycle.ts'
import { Models } from '../models/models.ts'
import { humanLine } from './human-line.ts'
import { createOperatorLog, type LogLevel } from './operator-log.ts'

type Line = Record<string, unknown> & { level: string; msg: string }

function logged(
  fake: FakeOptions = {},
  format: 'json' | 'text' = 'json',
  level: LogLevel = 'trace',
) {
  let text = ''
  const engine = new FakeEngine(fake)
  const log = createOperatorLog({ format, level, write: (line) => (text += line) })
  const app = createApp({
    lifecycle: new Lifecycle(Models.of(engine)),
    log: log.log,
    onRequested: log.requested,
  })
  const post = (path: string, body: string, headers: Record<string, string> = {}) =>
    app.request(path, { method: 'POST', body, headers })
  const lines = () =>
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Line)
  return { app, log, post, lines, text: () => text }
}

test('a request is one line with its id, path, status, time, tokens and caller', async () => {
  const { post, lines } = logged({ words: ['a', 'b'] })
  await post('/generate', '{"prompt":"xyz"}', { 'x-request-id': 'mine-1' })
  expect(lines()).toEqual([
    {
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      msg: 'POST /generate 200',
      request_id: 'mine-1',
      method: 'POST',
      endpoint: '/generate',
      status: 200,
      ms: expect.any(Number),
      caller: 'anyone',
      model: 'fake/tiny-1',
      outcome: 'completed',
      first_token_ms: expect.any(Number),
      prompt_tokens: 3,
      cached_tokens: 3,
      completion_tokens: 2,
    },
  ])
})

test('a stream is told of when it is over, whole or cut off, once', async () => {
  const { post, lines } = logged({ rate: 200, words: Array<string>(50).fill('a') })
  const body = '{"prompt":"x","stream":true,"max_tokens":5}'
  const whole = await post('/generate', body)
  expect(lines()).toEqual([])
  await whole.text()
  expect(lines()).toMatchObject([{ status: 200, outcome: 'completed', completion_tokens: 5 }])
  const cut = await post('/generate', body)
  const reader = cut.body?.getReader()
  for (let read = 0; read < 3; read++) await reader?.read()
  await reader?.cancel()
  expect(lines()).toHaveLength(2)
  expect(lines()[1]).toMatchObject({ status: 200, outcome: 'cancelled', code: 'cancelled' })
})

test('an answer over a socket is a line of its own, one over HTTP is not told of twice', () => {
  const { log, lines } = logged()
  const answered = {
    requestId: 'r-1',
    caller: ANYONE,
    operation: 'chat',
    model: 'm',
    startedAt: 0,
    total: 12.34,
    firstToken: null,
    promptTokens: 0,
    cachedTokens: 0,
    completionTokens: 0,
    outcome: 'cancelled',
    code: 'cancelled',
  } as const
  log.answered({ ...answered, endpoint: '/generate' })
  log.answered({ ...answered, endpoint: '/ws' })
  expect(lines()).toMatchObject([
    { msg: '/ws cancelled', request_id: 'r-1', caller: 'anyone', ms: 12.3, first_token_ms: null },
  ])
})

test('errors have a code; our own also a line with the stack', async () => {
  const cause = new Error('deeper')
  const error = new Error('driver says no', { cause })
  const { app, post, lines } = logged({ failAfter: { tokens: 1, error } })
  await post('/generate', '{')
  await app.request('/nothing/here?q=1')
  await post('/generate', '{"prompt":"x"}', { 'x-request-id': 'mine-2' })
  await (await post('/generate', '{"prompt":"x","stream":true}')).text()
  const [bad, nowhere, failed, request, ...streamed] = lines()
  expect(bad).toMatchObject({ level: 'info', status: 400, code: 'invalid_json' })
  expect(nowhere).toMatchObject({ status: 404, endpoint: null, code: 'not_found' })
  expect(failed).toMatchObject({
    level: 'error',
    msg: 'POST /generate failed',
    request_id: 'mine-2',
    error: {
      message: 'driver says no',
      stack: expect.stringMatching(/\n {4}at /),
      cause: { message: 'deeper' },
    },
  })
  expect(request).toMatchObject({ level: 'warn', status: 500, outcome: 'failed' })
  expect(streamed.map(({ level }) => level).sort()).toEqual(['error', 'info'])
})

test('probes are for debugging only, and a level keeps the rest out', async () => {
  const usual = logged({}, 'json', 'info')
  for (const path of ['/health', '/health/live', '/metrics']) await usual.app.request(path)
  expect(usual.text()).toBe('')
  const silent = logged({}, 'json', 'silent')
  await silent.post('/generate', '{')
  silent.log.event('fatal', 'over')
  expect(silent.text()).toBe('')
})

test.each(['json', 'text'] as const)('no secret gets into the log as %s', async (format) => {
  const secret = 'sk-4242secret4242'
  const answer = 'answer4242secret'
  const error = new Error('driver says no')
  const headers = {
    authorization: `Bearer ${secret}`,
    'x-api-key': secret,
    cookie: `session=${secret}`,
    'user-agent': secret,
    referer: `http://localhost/${secret}`,
    'proxy-authorization': secret,
    [secret]: secret,
  }
  const bodies = [
    { prompt: secret },
    { prompt: secret, stream: true },
    { [secret]: 1 },
    { prompt: { [secret]: secret } },
    { prompt: 'x', model: secret },
    { prompt: 'x', user: secret, stop: [secret], stop_sequences: [secret] },
    { messages: [{ role: 'user', content: secret }] },
    { messages: [{ role: secret, content: secret }] },
    { messages: [{ role: 'user', content: secret }], stream: true },
    { text: secret },
  ].map((body) => JSON.stringify(body))
  const paths = [
    '/generate',
    '/chat/completions',
    '/v1/chat/completions',
    '/v1/completions',
    '/tokenize',
    '/oauth/token',
    '/batch/jobs',
    '/v1/files',
  ]
  for (const fake of [{}, { failAfter: { tokens: 1, error } }]) {
    const { app, post, text } = logged({ words: [answer, answer], ...fake }, format)
    for (const path of paths) {
      for (const body of [...bodies, secret, `{"prompt":"${secret}`, `"${secret}"`, '{']) {
        await (await post(`${path}?key=${secret}`, body, headers)).text()
      }
    }
    for (const path of [
      `/${secret}`,
      `/v1/models/${secret}`,
      `/generate/${secret}`,
      `/health?${secret}`,
    ]) {
      for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS']) {
        await (await app.request(path, { method, headers })).text()
      }
    }
    await app.request('/generate', { headers: { ...headers, host: `${secret}.example` } })
    await app.request('/generate', { headers: { ...headers, origin: `http://${secret}.example` } })
    expect(text().split('\n').length).toBeGreaterThan(80)
    expect(text()).not.toContain('secret')
  }
})

test('for people a request is a short line', async () => {
  const { post, text } = logged({ words: ['a'] }, 'text')
  await post('/generate', '{"prompt":"x"}', { 'x-request-id': 'mine-3' })
  expect(text()).toMatch(
    /^\d\d:\d\d:\d\d info POST \/generate 200 request_id=mine-3 ms=[\d.]+ caller=anyone .*completion_tokens=1\n$/,
  )
})

test('no text whatever gives a terminal orders or forges a line', () => {
  let text = ''
  const write = (line: string) => {
    text = line
  }
  const log = createOperatorLog({ format: 'text', level: 'info', write })
  const codes = fc.oneof(
    fc.integer({ min: 0, max: 0xa0 }),
    fc.constantFrom(0x2028, 0x2029, 0x1f4a1),
  )
  const odd = fc.string({ unit: codes.map((code) => String.fromCodePoint(code)) })
  fc.assert(
    fc.property(odd, odd, odd, (message, value, failure) => {
      log.event('info', message, { value, error: new Error(failure) })
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
      expect(text).toMatch(/^[^\u0000-\u0009\u000b-\u001f\u007f-\u009f]+\n$/)
      const [head, ...rest] = text.trimEnd().split('\n')
      expect(head).toMatch(/^\d\d:\d\d:\d\d info/)
      expect(rest.filter((line) => !line.startsWith('    '))).toEqual([])
    }),
  )
  const line = { level: 'info', time: '2026-01-01T00:00:00.000Z', msg: 'x' }
  expect(humanLine(JSON.stringify({ ...line, caller: 'a b="c\n' }))).toBe(
    '00:00:00 info x caller="a b=\\"c\\n"\n',
  )
})
