/** Each answer is in the ledger once, however it ended, and the sums are those of the answers. */
import { expect, test } from 'vitest'
import { stateApp } from '../../test/server-state.ts'
import { statsResponse } from '../contract/stats.ts'

interface Usage {
  usage: { prompt_tokens: number; completion_tokens: number }
}

const rowsOf = async (state: Awaited<ReturnType<typeof stateApp>>['state']) => {
  await state.ledger.written()
  return (await state.database.execute('SELECT * FROM ledger ORDER BY id')).rows
}

test('a whole answer, a stream, a stream that is left and a failure are each there once', async () => {
  const { app, engine, newKey, post, state } = await stateApp({
    engine: { words: ['a', 'b', 'c'] },
  })
  const { headers, id } = await newKey()
  await post('/generate', { prompt: 'xy' }, { ...headers, 'x-request-id': 'whole' })
  const stream = { prompt: 'xy', stream: true }
  await (await post('/v1/completions', stream, { ...headers, 'x-request-id': 'streamed' })).text()
  const leaving = await post('/generate', stream, { ...headers, 'x-request-id': 'left' })
  await leaving.body?.cancel()
  engine.generate = () => {
    throw new Error('never started')
  }
  await post('/generate', { prompt: 'xy' }, { ...headers, 'x-request-id': 'none' })
  await app.request('/models', { headers })
  const rows = await rowsOf(state)
  expect(rows.map(({ request_id, outcome }) => [request_id, outcome])).toEqual([
    ['whole', 'completed'],
    ['streamed', 'completed'],
    ['left', 'cancelled'],
  ])
  expect(rows[1]).toMatchObject({
    caller: id,
    endpoint: '/v1/completions',
    model: 'fake/tiny-1',
    prompt_tokens: 2,
    cached_tokens: 3,
    completion_tokens: 3,
    code: null,
  })
  expect(rows[2]?.code).toBe('cancelled')
})

test('of 10,000 mixed requests, some left, responses, ledger, metrics and stats agree to the token', async () => {
  const { app, newKey, post, state } = await stateApp({ engine: { words: ['a', 'b', 'c', 'd'] } })
  const { headers } = await newKey()
  const told = new Map<string, Usage['usage']>()
  const one = async (n: number) => {
    const body = { prompt: 'x'.repeat((n % 7) + 1), max_tokens: (n % 5) + 1, stream: n % 3 === 0 }
    const response = await post('/generate', body, { ...headers, 'x-request-id': `n${n}` })
    if (n % 6 === 0) return response.body?.cancel()
    const text = await response.text()
    const frames = text.split('\n\n').filter((frame) => frame.startsWith('data: {'))
    const last = body.stream ? (frames.at(-1) ?? '').slice('data: '.length) : text
    told.set(`n${n}`, (JSON.parse(last) as Usage).usage)
  }
  for (let n = 0; n < 10_000; n += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, at) => one(n + at)))
  }
  const rows = await rowsOf(state)
  expect(new Set(rows.map(({ request_id }) => request_id)).size).toBe(10_000)
  expect(rows).toHaveLength(10_000)
  for (const row of rows) {
    const usage = told.get(String(row.request_id))
    if (!usage) continue
    expect(row.outcome).toBe('completed')
    expect(row.prompt_tokens).toBe(usage.prompt_tokens)
    expect(row.completion_tokens).toBe(usage.completion_tokens)
  }
  const sum = (name: string) => rows.reduce((all, row) => all + Number(row[name]), 0)
  const metrics = await (await app.request('/metrics', { headers })).text()
  const counted = (name: string) =>
    [...metrics.matchAll(new RegExp(`^illuminator_${name}_total\\{.*\\} (\\d+)$`, 'gm'))].reduce(
      (all, [, value]) => all + Number(value),
      0,
    )
  expect(counted('answers')).toBe(10_000)
  expect(counted('prompt_tokens')).toBe(sum('prompt_tokens'))
  expect(counted('completion_tokens')).toBe(sum('completion_tokens'))
  const stats = await (await app.request('/models/tiny-1/stats', { headers })).json()
  expect(stats).toMatchObject({
    usage_stats: { total_requests: 10_000, total_tokens_generated: sum('completion_tokens') },
  })
}, 120_000)

test('stats have the contract’s shape; what nobody measured is null', async () => {
  const { app, engine, newKey, post } = await stateApp()
  const { headers } = await newKey()
  const ask = async (id: string) => app.request(`/models/${id}/stats`, { headers })
  const before = statsResponse.strict().parse(await (await ask('fake/tiny-1')).json())
  expect(before).toMatchObject({
    model_id: 'fake/tiny-1',
    usage_stats: { total_requests: 0, average_generation_time: null, error_rate: null },
    performance_metrics: { throughput: null, memory_usage: '131.2MB', gpu_utilization: 0 },
  })
  await post('/generate', { prompt: 'x', max_tokens: 5 }, headers)
  engine.generate = () => {
    throw new Error('not even begun')
  }
  const after = statsResponse.strict().parse(await (await ask('fake%2Ftiny-1')).json())
  expect(after.usage_stats).toMatchObject({
    total_requests: 1,
    total_tokens_generated: 5,
    error_rate: 0,
  })
  expect(after.performance_metrics.throughput).toMatch(/^\d+(\.\d)? tokens\/second$/)
  expect((await ask('gpt-9')).status).toBe(404)
})

test('a failed answer is in the error rate', async () => {
  const error = new Error('broken')
  const { app, newKey, post } = await stateApp({ engine: { failAfter: { tokens: 1, error } } })
  const { headers } = await newKey()
  await post('/generate', { prompt: 'x' }, headers)
  const stats = await (await app.request('/models/tiny-1/stats', { headers })).json()
  expect(stats).toMatchObject({ usage_stats: { total_requests: 1, error_rate: 1 } })
})

test('closing writes what is still gathered', async () => {
  const { mkdtempSync } = await import('node:fs')
  const { tmpdir } = await import('node:os')
  const { join } = await import('node:path')
  const file = join(mkdtempSync(join(tmpdir(), 'illuminator-')), 'state.db')
  const { newKey, post, state } = await stateApp({ file })
  await post('/generate', { prompt: 'x' }, (await newKey()).headers)
  await state.close()
  const again = await stateApp({ file })
  expect(await rowsOf(again.state)).toHaveLength(1)
  await again.state.close()
})
