/** How far a batch is, as people see it. */
import { PassThrough, Writable } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { duration } from '../duration.ts'
import { BatchProgress } from './batch-progress.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function watched(isTTY: boolean) {
  let told = ''
  const write = (chunk: Buffer, _: string, done: () => void) => {
    told += chunk
    done()
  }
  const stderr = Object.assign(new Writable({ write }), { isTTY, columns: 160 })
  const [stdin, stdout] = [new PassThrough(), new PassThrough()]
  const io = { stdin, stdout, stderr, env: {}, onInterrupt: () => () => {} }
  const progress = new BatchProgress(io, 200, 50, 1)
  const text = () => stripVTControlCharacters(told)
  progress.start()
  return { progress, text }
}

/** 30 prompts of 100 tokens each in 60 s, one of them failed. */
function work(progress: BatchProgress): void {
  for (let i = 0; i < 30; i++) {
    vi.advanceTimersByTime(2000)
    progress.tokens(100)
    progress.answered(i === 7)
  }
}

test('a line now and then where there is no terminal', () => {
  const { progress, text } = watched(false)
  work(progress)
  progress.waiting(40_000)
  progress.stop()
  const lines = text().trim().split('\n')
  expect(lines[0]).toBe('54 of 200 prompts | 1 failed | 40.0 tokens/s | 7 min left')
  expect(lines).toHaveLength(7)
  expect(lines.at(-1)).toBe(
    '80 of 200 prompts | 2 failed | 50.0 tokens/s | 4 min left | the server asks to wait 40 s',
  )
})

test('a bar on a terminal', () => {
  const { progress, text } = watched(true)
  work(progress)
  progress.stop()
  expect(text()).toMatch(
    /Answering \[=+-+\] 40% \| 80 of 200 prompts \| 2 failed \| 50\.0 tokens\/s \| 4 min left\n$/,
  )
})

test('the facts are of this run', () => {
  const { progress } = watched(false)
  work(progress)
  progress.stop()
  expect(progress.facts).toEqual({
    total: 200,
    completed: 78,
    failed: 2,
    answered_now: 30,
    tokens_generated: 3000,
    seconds: 60,
    tokens_per_second: 50,
  })
})

test('durations are as long as a person wants to read', () => {
  expect([0.2, 45, 89.5, 91, 3600, 5400, 7200, 12_000].map(duration)).toEqual([
    '1 s',
    '45 s',
    '90 s',
    '2 min',
    '60 min',
    '1 h 30 min',
    '2 h',
    '3 h 20 min',
  ])
})
