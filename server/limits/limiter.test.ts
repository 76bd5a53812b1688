/** Limits: exact when everything comes at once, honest about when to come back, and kept when the process dies. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bearer, type StateSetting, stateApp } from '../../test/server-state.ts'
import { ANYONE, type Caller } from '../auth/caller.ts'
import { IN_MEMORY } from '../store/data-folder.ts'
import { Database } from '../store/database.ts'
import { Limiter } from './limiter.ts'

const NOW = Date.UTC(2026, 0, 1)
const BODY = { prompt: 'x', max_tokens: 10 }

interface WireError {
  error: { type: string; code: string; message: string }
}

const limited = (requestsPerMinute: number | null, tokensPerHour: number | null): Caller => ({
  ...ANYONE,
  id: 'key_a',
  limits: { requestsPerMinute, tokensPerHour },
})

async function setUp(setting: StateSetting = {}) {
  const made = await stateApp({ now: NOW, ...setting })
  const generate = (headers: Record<string, string>, body: object = BODY) =>
    made.post('/generate', body, headers)
  return { ...made, generate }
}

test('of 500 at once, at 60 a minute, exactly 60 pass', async () => {
  const { generate, newKey } = await setUp()
  const { headers } = await newKey({ tier: 'free' })
  const answers = await Promise.all(Array.from({ length: 500 }, () => generate(headers)))
  const statuses = answers.map(({ status }) => status)
  expect(statuses.filter((status) => status === 200)).toHaveLength(60)
  expect(statuses.filter((status) => status === 429)).toHaveLength(440)
  for (const answer of answers.filter(({ status }) => status === 429)) {
    expect(Number(answer.headers.get('retry-after'))).toBe(61)
    expect(await answer.json()).toMatchObject({
      error: { type: 'rate_limit_error', code: 'rate_limit_exceeded' },
    })
  }
})

test('Retry-After is true to the second', async () => {
  const { clock, generate, newKey } = await setUp()
  const { headers } = await newKey({ limits: { requestsPerMinute: 2, tokensPerHour: null } })
  clock.now += 300
  await generate(headers)
  clock.now += 10_000
  await generate(headers)
  const seconds = Number((await generate(headers)).headers.get('retry-after'))
  expect(Number.isInteger(seconds)).toBe(true)
  clock.now += (seconds - 1) * 1000
  expect((await generate(headers)).status).toBe(429)
  clock.now += 1000
  expect((await generate(headers)).status).toBe(200)
})

test('callers do not share; clients share over all their tokens', async () => {
  const { app, generate, newKey } = await setUp()
  const limits = { requestsPerMinute: 1, tokensPerHour: null }
  const [a, b] = [await newKey({ limits }), await newKey({ limits })]
  expect((await generate(a.headers)).status).toBe(200)
  expect((await generate(a.headers)).status).toBe(429)
  expect((await generate(b.headers)).status).toBe(200)
  const client = await newKey({ kind: 'client', limits })
  const token = async () => {
    const body = `grant_type=client_credentials&client_id=${client.id}&client_secret=${client.secret}`
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const response = await app.request('/oauth/token', { method: 'POST', headers, body })
    return bearer(((await response.json()) as { access_token: string }).access_token)
  }
  expect((await generate(await token())).status).toBe(200)
  expect((await generate(await token())).status).toBe(429)
})

test('what makes no work is not counted', async () => {
  const { app, generate, newKey } = await setUp()
  const { headers } = await newKey({ limits: { requestsPerMinute: 1, tokensPerHour: null } })
  for (let i = 0; i < 5; i++) expect((await app.request('/models', { headers })).status).toBe(200)
  expect((await generate(headers)).status).toBe(200)
  expect((await app.request('/models', { headers })).status).toBe(200)
})

test('tokens are set aside, prompt and longest answer, and the rest comes back', async () => {
  const { generate, newKey } = await setUp({ engine: { words: ['a', 'b', 'c'] } })
  const { headers } = await newKey({ limits: { requestsPerMinute: null, tokensPerHour: 20 } })
  // Each asks for 1 + 10 and uses 1 + 3.
  const both = await Promise.all([generate(headers), generate(headers)])
  expect(both.map(({ status }) => status).sort()).toEqual([200, 429])
  const refused = both.find(({ status }) => status === 429)
  expect(await refused?.json()).toMatchObject({
    error: { type: 'quota_exceeded', code: 'quota_exceeded' },
  })
  const [second, third] = [await generate(headers), await generate(headers)]
  expect(second.status).toBe(200)
  expect(second.headers.get('x-ratelimit-remaining-tokens')).toBe('12')
  expect(third.status).toBe(200)
  expect((await generate(headers)).status).toBe(429)
})

test('an aborted and a failed answer give back what they did not use', async () => {
  const error = new Error('broken')
  const { generate, newKey, state, engine } = await setUp({
    engine: { failAfter: { tokens: 2, error } },
  })
  const key = await newKey({ limits: { requestsPerMinute: null, tokensPerHour: 1000 } })
  expect((await generate(key.headers)).status).toBe(500)
  const { headers } = await generate(key.headers)
  expect(headers.get('x-ratelimit-remaining-tokens')).toBe(String(1000 - 2 * 3))
  expect(engine.stats.running).toBe(0)
  await state.limiter.written()
  const { rows } = await state.database.execute(
    "SELECT used FROM limit_buckets WHERE kind = 'tokens'",
  )
  expect(rows.map(({ used }) => used)).toEqual([6])
})

test('a request that never fits says so, and not to come back', async () => {
  const { generate, newKey } = await setUp()
  const { headers } = await newKey({ limits: { requestsPerMinute: null, tokensPerHour: 5 } })
  const answer = await generate(headers)
  expect(answer.status).toBe(429)
  expect(answer.headers.get('x-should-retry')).toBe('false')
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  expect(((await answer.json()) as WireError).error.message).toMatch(
    /11 tokens.*5 an hour.*max_tokens/,
  )
})

test('both sets of headers, each in its own form', async () => {
  const { newKey, post } = await setUp({ engine: { words: ['a'] } })
  const { headers } = await newKey({ tier: 'free' })
  const there = Object.fromEntries((await post('/generate', BODY, headers)).headers)
  expect(there).toMatchObject({
    'x-ratelimit-limit': '60',
    'x-ratelimit-remaining': '59',
    'x-ratelimit-reset': String(NOW / 1000 + 61),
    'x-ratelimit-reset-tokens': String(NOW / 1000 + 3660),
    'x-ratelimit-limit-requests': '60',
    'x-ratelimit-remaining-requests': '59',
    'x-ratelimit-reset-requests': '1m1s',
    'x-ratelimit-limit-tokens': '50000',
    'x-ratelimit-remaining-tokens': '49998',
  })
  const openai = Object.fromEntries((await post('/v1/completions', BODY, headers)).headers)
  expect(openai).toMatchObject({
    'x-ratelimit-remaining': '58',
    'x-ratelimit-reset-tokens': '61m0s',
  })
  const { headers: free } = await newKey({ tier: 'enterprise' })
  expect((await post('/generate', BODY, free)).headers.has('x-ratelimit-limit')).toBe(false)
})

test('another start, on the same file, goes on counting', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'illuminator-')), 'state.db')
  const clock = { now: NOW }
  const open = async () => {
    const database = await Database.open(file)
    return {
      database,
      limiter: await Limiter.open(database, { log: () => {}, now: () => clock.now }),
    }
  }
  const caller = limited(3, 100)
  const first = await open()
  first.limiter.enter(caller)
  first.limiter.enter(caller)
  first.limiter.reserve(caller, 40).settle(10)
  // Never settled: its process ended before.
  first.limiter.reserve(caller, 60)
  await first.limiter.written()
  first.database.close()
  const second = await open()
  second.limiter.enter(caller)
  expect(() => second.limiter.enter(caller)).toThrow(/3 requests a minute/)
  expect(() => second.limiter.reserve(caller, 31)).toThrow(/30 of 100/)
  second.limiter.reserve(caller, 30).settle(0)
  await second.limiter.written()
  second.database.close()
  clock.now += 3_660_000
  const third = await open()
  third.limiter.reserve(caller, 100)
  await third.limiter.written()
  const { rows } = await third.database.execute('SELECT kind, used FROM limit_buckets')
  expect(rows.map(({ kind, used }) => [kind, used])).toEqual([['tokens', 100]])
  third.database.close()
})

test('settling twice, or an hour late, gives nothing more', async () => {
  const clock = { now: NOW }
  const database = await Database.open(IN_MEMORY)
  const limiter = await Limiter.open(database, { log: () => {}, now: () => clock.now })
  const caller = limited(null, 100)
  const held = limiter.reserve(caller, 60)
  held.settle(50)
  held.settle(0)
  expect(limiter.headers(caller, 'openai')['x-ratelimit-remaining-tokens']).toBe('50')
  const late = limiter.reserve(caller, 50)
  clock.now += 3_660_000
  limiter.reserve(caller, 100)
  late.settle(0)
  expect(limiter.headers(caller, 'openai')['x-ratelimit-remaining-tokens']).toBe('0')
  database.close()
})

test('a database that cannot be written stops nobody, is logged once, and gets it all later', async () => {
  const logged: string[] = []
  const database = await Database.open(IN_MEMORY)
  const limiter = await Limiter.open(database, { log: (line) => logged.push(line) })
  const caller = limited(5, null)
  await database.execute('ALTER TABLE limit_buckets RENAME TO hidden')
  limiter.enter(caller)
  await limiter.written()
  limiter.enter(caller)
  await limiter.written()
  expect(logged).toHaveLength(1)
  expect(logged[0]).toMatch(/^limits cannot be written/)
  await database.execute('ALTER TABLE hidden RENAME TO limit_buckets')
  await limiter.written()
  const { rows } = await database.execute('SELECT sum(used) AS used FROM limit_buckets')
  expect(rows[0]?.used).toBe(2)
  expect(logged[1]).toBe('limits: written again')
  database.close()
})
