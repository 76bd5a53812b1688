/** What Prometheus scrapes: the text format, and that its counts are those of what was asked. */
import { expect, test } from 'vitest'
import { json, testApp } from '../../test/server-app.ts'
import { createApp } from '../app.ts'
import { CACHED_TOKENS } from '../fake-engine.ts'
import { Lifecycle } from '../lifecycle.ts'
import { Models } from '../models/models.ts'

interface Usage {
  usage: { prompt_tokens: number; completion_tokens: number }
}
type App = ReturnType<typeof createApp>

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (-?[\d.]+(?:e[+-]?\d+)?|[+-]Inf|NaN)$/
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y

/** Reads the text format 0.0.4 and refuses what Prometheus would refuse. */
function parse(text: string) {
  expect(text.endsWith('\n')).toBe(true)
  const types = new Map<string, string>()
  const helps = new Set<string>()
  const samples = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (line === '') continue
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? []
    if (keyword === 'HELP') helps.add(name)
    else if (keyword === 'TYPE') {
      expect(types.has(name), `${name} is declared twice`).toBe(false)
      types.set(name, rest)
    } else {
      const [, metric = '', labels = '', value = ''] = LINE.exec(line) ?? []
      expect(metric, line).not.toBe('')
      const family = metric.replace(/_(bucket|sum|count)$/, '')
      expect(types.has(metric) || types.get(family) === 'histogram', line).toBe(true)
      const key = `${metric}{${sorted(labels)}}`
      expect(samples.has(key), `${key} is there twice`).toBe(false)
      samples.set(key, Number(value.replace('Inf', 'Infinity')))
    }
  }
  return { types, helps, samples, sum: (metric: string) => sum(samples, metric) }
}

function sorted(labels: string): string {
  const found: string[] = []
  LABEL.lastIndex = 0
  for (let at = 0; at < labels.length; at = LABEL.lastIndex) {
    const match = LABEL.exec(labels)
    expect(match, `labels ${labels}`).not.toBe(null)
    found.push(`${match?.[1]}="${match?.[2]}"`)
  }
  return found.sort().join(',')
}

/** Over all labels. */
function sum(samples: Map<string, number>, metric: string): number {
  return [...samples].reduce(
    (total, [key, value]) => total + (key.startsWith(`${metric}{`) ? value : 0),
    0,
  )
}

async function scrape(app: App) {
  const response = await app.request('/metrics')
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  return parse(await response.text())
}

test('every metric is ours, in base units, with help, and of a name that fits its kind', async () => {
  const { app, post } = testApp()
  await post('/generate', { prompt: 'x' })
  const { types, helps } = await scrape(app)
  expect(types.size).toBeGreaterThan(20)
  for (const [name, type] of types) {
    expect(name).toMatch(/^illuminator_[a-z_]+$/)
    expect(name).not.toMatch(/_(ms|milliseconds|percent|kb|mb|gb)(_|$)/)
    expect(helps.has(name), `${name} has no help`).toBe(true)
    expect(name.endsWith('_total'), `${name} is a ${type}`).toBe(type === 'counter')
  }
})

test('counts agree with what was asked and answered', async () => {
  const { app, post } = testApp({ words: ['a', 'b', 'c', 'd'] })
  const first = await json<Usage>(await post('/generate', { prompt: 'hello' }))
  const second = await json<Usage>(await post('/v1/completions', { prompt: 'hi', max_tokens: 2 }))
  await (await post('/generate', { prompt: 'stream', stream: true })).text()
  expect((await post('/generate', { prompt: 5 })).status).toBe(422)
  expect((await post('/generate', '{')).status).toBe(400)
  expect((await app.request('/nowhere/sk-secret')).status).toBe(404)
  expect((await app.request('/generate')).status).toBe(405)
  const { samples, sum } = await scrape(app)
  const requests = (endpoint: string, method: string, status: number) =>
    samples.get(
      `illuminator_http_requests_total{endpoint="${endpoint}",method="${method}",status="${status}"}`,
    )
  expect(requests('/generate', 'POST', 200)).toBe(2)
  expect(requests('/v1/completions', 'POST', 200)).toBe(1)
  expect(requests('/generate', 'POST', 422)).toBe(1)
  expect(requests('/generate', 'POST', 400)).toBe(1)
  expect(requests('none', 'GET', 404)).toBe(1)
  expect(requests('none', 'GET', 405)).toBe(1)
  expect(sum('illuminator_answers_total')).toBe(3)
  const completions = first.usage.completion_tokens + second.usage.completion_tokens + 4
  expect(sum('illuminator_completion_tokens_total')).toBe(completions)
  expect(sum('illuminator_prompt_tokens_total')).toBe(5 + 2 + 6)
  expect(sum('illuminator_cached_tokens_total')).toBe(3 * CACHED_TOKENS)
  for (const seconds of ['time_to_first_token', 'inter_token_latency', 'answer_duration']) {
    expect(sum(`illuminator_${seconds}_seconds_count`)).toBe(3)
  }
})

test('failed and cancelled answers are told apart, and count the tokens that left', async () => {
  const failing = testApp({ failAfter: { tokens: 2, error: new Error('boom') } })
  expect((await failing.post('/generate', { prompt: 'x' })).status).toBe(500)
  const broken = await scrape(failing.app)
  expect(
    broken.samples.get(
      'illuminator_answers_total{code="internal_error",endpoint="/generate",model="fake/tiny-1",outcome="failed"}',
    ),
  ).toBe(1)
  expect(broken.sum('illuminator_completion_tokens_total')).toBe(2)
  const slow = testApp({ rate: 200, words: Array<string>(1000).fill('a') })
  const response = await slow.post('/generate', { prompt: 'x', stream: true, max_tokens: 1000 })
  const reader = response.body?.getReader()
  for (let read = 0; read < 4; read++) await reader?.read()
  await reader?.cancel()
  const { samples, sum } = await scrape(slow.app)
  expect(
    samples.get(
      'illuminator_answers_total{code="cancelled",endpoint="/generate",model="fake/tiny-1",outcome="cancelled"}',
    ),
  ).toBe(1)
  expect(sum('illuminator_http_requests_total')).toBe(1)
})

test('the engine’s own counts are read at the time of the scrape', async () => {
  const { app, engine } = testApp()
  engine.stats.preemptions = 3
  engine.stats.busy = 1500
  const first = await scrape(app)
  expect(first.sum('illuminator_preemptions_total')).toBe(3)
  expect(first.sum('illuminator_gpu_busy_seconds_total')).toBe(1.5)
  expect(first.samples.get('illuminator_kv_pages{model="fake/tiny-1",state="cached"}')).toBe(4)
  expect(first.samples.get('illuminator_gpu_memory_bytes{model="fake/tiny-1",purpose="kv"}')).toBe(
    31_200_000,
  )
  engine.stats.preemptions = 5
  const second = await scrape(app)
  expect(second.sum('illuminator_preemptions_total')).toBe(5)
})

test('invented methods and paths make no new series', async () => {
  const { app } = testApp()
  for (let at = 0; at < 20; at++) await app.request(`/x${at}`, { method: `M${at}` })
  const { samples } = await scrape(app)
  const series = [...samples.keys()].filter((key) => key.includes('http_requests_total'))
  expect(series).toEqual([
    'illuminator_http_requests_total{endpoint="none",method="other",status="404"}',
  ])
})

/** A model whose load never ends. */
const NEVER = { load: () => new Promise<never>(() => undefined) }

test('while loading: the state is told, and of an engine nothing', async () => {
  const { samples, sum } = await scrape(
    createApp({ lifecycle: new Lifecycle(new Models({ pinned: [NEVER] })) }),
  )
  expect(samples.get('illuminator_state{state="loading"}')).toBe(1)
  expect(samples.get('illuminator_state{state="ready"}')).toBe(0)
  expect(sum('illuminator_engine_steps_total')).toBe(0)
  expect([...samples.keys()].some((key) => key.startsWith('illuminator_kv_pages'))).toBe(false)
  expect(sum('illuminator_build_info')).toBe(1)
})
