import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FakeEngine } from '../fake-engine.ts'
import { Lifecycle } from '../lifecycle.ts'
import { Models } from '../models/models.ts'
import { EngineWatch } from './engine-watch.ts'
import { keepWatch } from './keep-watch.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('the operator is told once when the engine stands still, and once when it goes on', () => {
  const engine = new FakeEngine()
  const told: string[] = []
  const lifecycle = new Lifecycle(Models.of(engine, [], new EngineWatch(() => Date.now())))
  const stop = keepWatch(lifecycle, (line) => told.push(line))
  engine.stats.running = 1
  vi.advanceTimersByTime(90_000)
  expect(told).toEqual([expect.stringMatching(/^unhealthy: .* not advanced for 60 s/)])
  expect(lifecycle.phase).toBe('unhealthy')
  engine.stats.steps++
  vi.advanceTimersByTime(2000)
  expect(told.slice(1)).toEqual(['healthy again'])
  stop()
  vi.advanceTimersByTime(90_000)
  expect(told).toHaveLength(2)
  expect(vi.getTimerCount()).toBe(0)
})
