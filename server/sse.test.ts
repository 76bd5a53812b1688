/** How long a stream is silent: measured on a clock of our own, so that 400 s of prefill take no time. */
import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { testApp } from '../test/server-app.ts'
import { depsOf } from './app.ts'
import { Lifecycle } from './lifecycle.ts'
import { Models } from './models/models.ts'
import { eventsIn, type Frames, sseResponse, writeEvents } from './sse.ts'

const PREFILL = 400_000
/** The longest silence that the contract allows. */
const MOST = 10_000

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const body = JSON.stringify({ prompt: 'x', stream: true })

/** The answer of an application with its own settings, once it has left admission. */
async function answered(path: string): Promise<Response> {
  const { post } = testApp({ prefill: PREFILL, words: ['a', 'b'] })
  const answer = post(path, body)
  await vi.advanceTimersByTimeAsync(200)
  return answer
}

/** Where frames go, and when. */
class Recorder extends EventEmitter {
  readonly times: number[] = []
  text = ''
  destroyed = false
  writableNeedDrain = false
  writeHead(): void {}
  write(text: string): void {
    this.times.push(Date.now())
    this.text += text
  }
  end(): void {
    this.emit('end')
  }
}

function longest(times: readonly number[]): number {
  return Math.max(...times.slice(1).map((time, i) => time - (times[i] ?? 0)))
}

test.each(['/generate', '/v1/completions'])('%s to a socket: never 10 s', async (path) => {
  const response = await answered(path)
  const events = eventsIn(response)
  const out = new Recorder()
  if (!events) throw new Error('not a stream')
  const began = Date.now()
  writeEvents(events, response, out as unknown as ServerResponse)
  expect(out.text).toMatch(/^: /)
  await vi.advanceTimersByTimeAsync(PREFILL + 1000)
  expect(out.text).toMatch(/: keep-alive\n\ndata: \{.*data: \[DONE\]\n\n$/s)
  expect(longest([began, ...out.times])).toBeLessThanOrEqual(MOST)
  expect(out.times.at(-1)).toBeGreaterThanOrEqual(began + PREFILL - 200)
})

test('as a body: never 10 s', async () => {
  const response = await answered('/generate')
  const times: number[] = []
  const reading = (async () => {
    for await (const _ of response.body ?? []) times.push(Date.now())
  })()
  const began = Date.now()
  await vi.advanceTimersByTimeAsync(PREFILL + 1000)
  await reading
  expect(longest([began, ...times])).toBeLessThanOrEqual(MOST)
  expect(times.length).toBeGreaterThan(PREFILL / MOST)
})

test('a frame counts as a sign of life, and a source that ends leaves no timer', async () => {
  const { keepAliveMs } = depsOf({ lifecycle: new Lifecycle(new Models({})) })
  const frames: Frames & { taken: number; waiting: string } = {
    taken: 0,
    waiting: '',
    take() {
      const text = this.waiting
      this.waiting = ''
      if (text !== '') this.taken++
      return text
    },
    get isOver() {
      return this.taken === 5
    },
    wait(hear) {
      const arrive = () => {
        this.waiting = 'data: 1\n\n'
        hear()
      }
      setTimeout(arrive, keepAliveMs - 1)
    },
    leave: () => undefined,
  }
  const response = sseResponse(frames, keepAliveMs)
  const events = eventsIn(response)
  const out = new Recorder()
  if (!events) throw new Error('not a stream')
  writeEvents(events, response, out as unknown as ServerResponse)
  await vi.advanceTimersByTimeAsync(keepAliveMs * 6)
  expect(out.times).toHaveLength(6)
  expect(vi.getTimerCount()).toBe(0)
})
