/** What waits is bounded, and who is turned away is told when there will be room. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { stateApp } from '../../test/server-state.ts'
import { ApiError } from '../contract/errors.ts'
import { asCaller } from '../internal.ts'
import { AdmissionQueue, type Place } from './queue.ts'

const secondsOf = (refused: () => unknown): number => {
  try {
    refused()
  } catch (error) {
    if (error instanceof ApiError) return Number(error.headers['retry-after'])
  }
  throw new Error('it was not refused')
}

test('both bounds hold whatever comes and goes, and nothing is left at the end', () => {
  const bounds = { requests: 5, promptTokens: 100 }
  const step = fc.oneof(
    fc.record({ take: fc.nat(60) }),
    fc.record({ adopt: fc.nat(), exact: fc.nat(60) }),
    fc.record({ leave: fc.nat() }),
    fc.record({ abandon: fc.nat() }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const queue = new AdmissionQueue(bounds)
      const places: Place[] = []
      const at = (n: number) => places[n % Math.max(1, places.length)]
      for (const each of steps) {
        if ('take' in each) {
          const [requests, tokens] = [queue.requests, queue.promptTokens]
          const fits = requests < 5 && tokens + each.take <= 100
          if (fits || requests === 0) places.push(queue.take(each.take))
          else expect(() => queue.take(each.take)).toThrow(/Too much is waiting/)
        } else if ('adopt' in each) at(each.adopt)?.adopt(each.exact)
        else if ('leave' in each) at(each.leave)?.leave()
        else at(each.abandon)?.abandon()
        expect(queue.requests).toBeLessThanOrEqual(5)
      }
      for (const place of places) place.leave()
      expect([queue.requests, queue.promptTokens]).toEqual([0, 0])
    }),
  )
})

test('where nobody waits there is room for any prompt', () => {
  const queue = new AdmissionQueue({ requests: 1, promptTokens: 10 })
  const place = queue.take(1000)
  expect(() => queue.take(1)).toThrow(ApiError)
  place.leave()
  queue.take(1000)
})

test('the time it names is what leaving has taken, whether requests or tokens are the bound', () => {
  let now = 0
  const leaving = (bounds: { requests: number; promptTokens: number }) => {
    const queue = new AdmissionQueue(bounds, () => now)
    const waiting = Array.from({ length: 10 }, () => queue.take(10))
    // One leaves every two seconds, another comes.
    for (let i = 0; i < 20; i++) {
      now += 2000
      waiting.shift()?.leave()
      waiting.push(queue.take(10))
    }
    return queue
  }
  const byRequests = leaving({ requests: 10, promptTokens: 1000 })
  expect(secondsOf(() => byRequests.take(10))).toBe(2)
  const byTokens = leaving({ requests: 1000, promptTokens: 100 })
  expect(secondsOf(() => byTokens.take(50))).toBe(10)
  // All of them must leave before a prompt that long.
  expect(secondsOf(() => byTokens.take(5000))).toBe(20)
})

test('an idle hour does not count as slowness, and before any measure it is a guess', () => {
  let now = 0
  const queue = new AdmissionQueue({ requests: 1, promptTokens: 1000 }, () => now)
  const first = queue.take(1)
  expect(secondsOf(() => queue.take(1))).toBe(5)
  now += 3000
  first.leave()
  for (let i = 0; i < 5; i++) {
    now += 3_600_000
    const place = queue.take(1)
    now += 3000
    place.leave()
  }
  now += 3_600_000
  queue.take(1)
  expect(secondsOf(() => queue.take(1))).toBe(3)
})

test('over HTTP: a full queue is 503 before anything is tokenized, and running answers do not count', async () => {
  const queue = new AdmissionQueue({ requests: 2, promptTokens: 1000 })
  const { engine, newKey, post } = await stateApp({ queue, engine: { prefill: 50, words: ['a'] } })
  const { headers } = await newKey()
  let tokenized = 0
  const { tokenize } = engine
  engine.tokenize = (text) => {
    tokenized++
    return tokenize.call(engine, text)
  }
  const ask = () => post('/generate', { prompt: 'x' }, { ...headers, 'content-length': '14' })
  const answers = await Promise.all(Array.from({ length: 10 }, ask))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(2)
  expect(tokenized).toBe(2)
  const refused = answers.filter(({ status }) => status === 503)
  expect(refused).toHaveLength(8)
  expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  expect(await refused[0]?.json()).toMatchObject({
    error: { type: 'model_error', code: 'overloaded' },
  })
  expect((await ask()).status).toBe(200)
  expect([queue.requests, queue.promptTokens]).toEqual([0, 0])
})

test('a batch has a queue of its own: its prompts take no place and find none full', async () => {
  const queue = new AdmissionQueue({ requests: 1, promptTokens: 1000 })
  const { app, newKey, state } = await stateApp({ queue, engine: { words: ['a'] } })
  const caller = await state.authenticator.authenticate((await newKey()).secret)
  queue.take(1)
  const request = new Request('http://localhost/generate', {
    method: 'POST',
    body: '{"prompt":"x"}',
  })
  expect((await app.fetch(request, asCaller(caller))).status).toBe(200)
  expect(queue.requests).toBe(1)
})

test('a request that comes to nothing leaves no place behind', async () => {
  const queue = new AdmissionQueue({ requests: 1, promptTokens: 1000 })
  const { newKey, post } = await stateApp({ queue, engine: { contextLength: 5 } })
  const { headers } = await newKey({ limits: { requestsPerMinute: null, tokensPerHour: 3 } })
  expect((await post('/generate', { prompt: 'too long a text' }, headers)).status).toBe(422)
  expect((await post('/generate', { prompt: 'xx' }, headers)).status).toBe(429)
  const { headers: other } = await newKey()
  const left = await post('/generate', { prompt: 'x', stream: true }, other)
  await left.body?.cancel()
  expect([queue.requests, queue.promptTokens]).toEqual([0, 0])
})
