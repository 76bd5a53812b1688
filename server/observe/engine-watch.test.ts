/** An engine that stands still with work to do is found out, and nothing else is taken for it. */
import { expect, test } from 'vitest'
import { json } from '../../test/server-app.ts'
import { createApp } from '../app.ts'
import { FakeEngine } from '../fake-engine.ts'
import { Lifecycle } from '../lifecycle.ts'
import { Models } from '../models/models.ts'
import { EngineWatch } from './engine-watch.ts'

function watched(kind: 'gpu' | 'software' = 'gpu') {
  let clock = 0
  const watch = new EngineWatch(() => clock)
  const engine = new FakeEngine()
  const stats = { ...engine.stats, adapter: { ...engine.stats.adapter, kind } }
  /** Lets so many seconds pass, looking at each of them. */
  const pass = (seconds: number, steps = 0, every = 1) => {
    for (let second = 0; second < seconds; second += every) {
      clock += every * 1000
      stats.steps += steps
      watch.look(stats)
    }
    return watch.stalled
  }
  return { engine, stats, watch, pass }
}

test('ten seconds with work and without a step on a GPU are too long; a step mends it', () => {
  const { stats, pass } = watched()
  stats.running = 1
  expect(pass(10)).toBe(null)
  expect(pass(1)).toBe(10_000)
  expect(pass(5)).toBe(15_000)
  expect(pass(1, 1)).toBe(null)
})

test('queued work counts as well', () => {
  const { stats, pass } = watched()
  stats.queued = 3
  expect(pass(11)).toBe(10_000)
})

test('a software adapter gets a minute for a step', () => {
  const { stats, pass } = watched('software')
  stats.running = 1
  expect(pass(60)).toBe(null)
  expect(pass(1)).toBe(60_000)
})

test('idleness and slow but steady steps are no stall', () => {
  const { stats, pass } = watched()
  expect(pass(3600)).toBe(null)
  stats.running = 1
  expect(pass(9)).toBe(null)
  expect(pass(1, 1)).toBe(null)
  expect(pass(100, 1, 9)).toBe(null)
})

test('work that came after the last look has not waited since', () => {
  const { stats, pass } = watched()
  pass(1)
  stats.running = 1
  expect(pass(3600, 0, 3600)).toBe(null)
})

test('/health and /health/ready say so, /health/live does not', async () => {
  const { engine, stats, watch, pass } = watched()
  const lifecycle = new Lifecycle(Models.of(engine, [], watch))
  const app = createApp({ lifecycle })
  Object.assign(engine.stats, stats, { running: 1, adapter: stats.adapter })
  stats.running = 1
  pass(12)
  const health = await app.request('/health')
  expect(health.status).toBe(503)
  expect(await json(health)).toMatchObject({
    status: 'unhealthy',
    reason: 'The engine has not advanced for 11 s although there is work.',
  })
  expect((await app.request('/health/ready')).status).toBe(503)
  expect((await app.request('/health/live')).status).toBe(200)
  expect(await (await app.request('/metrics')).text()).toContain('state="unhealthy"} 1')
  engine.stats.steps++
  expect((await app.request('/health')).status).toBe(200)
})
