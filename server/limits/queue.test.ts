/** What waits is bounded, and who is turned away is told when there will be room. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { testApp } from '../../test/server-app.ts'
import { stateApp } from '../../test/server-state.ts'
import { ApiError } from '../contract/errors.ts'
import { asCaller } from '../internal.ts'
import { AdmissionQueue, type Place, type QueueBounds, type Wanted } from './queue.ts'

const secondsOf = (refused: () => unknown): number => {
  try {
    refused()
  } catch (error) {
    if (error instanceof ApiError) return Number(error.headers['retry-after'])
  }
  throw new Error('it was not refused')
}

const one = (bytes: number): Wanted => ({ bytes, answers: 1 })

test('both bounds hold whatever comes and goes, and nothing is left at the end', () => {
  const bounds = { answers: 5, promptTokens: 100 }
  const step = fc.oneof(
    fc.record({ take: fc.record({ bytes: fc.nat(60), answers: fc.integer({ min: 1, max: 3 }) }) }),
    fc.record({ adopt: fc.nat(), exact: fc.nat(60) }),
    fc.record({ arrive: fc.nat(), index: fc.nat(3) }),
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
          const { bytes, answers } = each.take
          const fits = queue.answers + answers <= 5 && queue.promptTokens + bytes <= 100
          if (fits || queue.answers === 0) places.push(queue.take(each.take))
          else expect(() => queue.take(each.take)).toThrow(/Too much is waiting/)
        } else if ('adopt' in each) at(each.adopt)?.adopt(each.exact)
        else if ('arrive' in each) at(each.arrive)?.arrive(each.index)
        else if ('leave' in each) at(each.leave)?.leave()
        else at(each.abandon)?.abandon()
        expect(queue.answers).toBeLessThanOrEqual(5)
        expect(queue.promptTokens).toBeGreaterThanOrEqual(0)
      }
      for (const place of places) place.leave()
      expect([queue.answers, queue.promptTokens]).toEqual([0, 0])
    }),
  )
})

test('each answer leaves with its first token, and its share of the prompts with it', () => {
  const queue = new AdmissionQueue({ answers: 4, promptTokens: 100 })
  const place = queue.take({ bytes: 50, answers: 3 })
  place.adopt(30)
  expect(() => queue.take({ bytes: 1, answers: 2 })).toThrow(ApiError)
  place.arrive(1)
  place.arrive(1)
  expect([queue.answers, queue.promptTokens]).toEqual([2, 20])
  queue.take({ bytes: 1, answers: 2 }).leave()
  place.arrive(0)
  place.arrive(2)
  place.leave()
  expect([queue.answers, queue.promptTokens]).toEqual([0, 0])
})

test('where nobody waits there is room for any prompt', () => {
  const queue = new AdmissionQueue({ answers: 1, promptTokens: 10 })
  const place = queue.take(one(1000))
  expect(() => queue.take(one(1))).toThrow(ApiError)
  place.leave()
  queue.take(one(1000))
})

test('the time it names is what leaving has taken, whether requests or tokens are the bound', () => {
  let now = 0
  const leaving = (bounds: QueueBounds) => {
    const queue = new AdmissionQueue(bounds, () => now)
    const waiting = Array.from({ length: 10 }, () => queue.take(one(10)))
    // One leaves every two seconds, another comes.
    for (let i = 0; i < 20; i++) {
      now += 2000
      waiting.shift()?.leave()
      waiting.push(queue.take(one(10)))
    }
    return queue
  }
  const byRequests = leaving({ answers: 10, promptTokens: 1000 })
  expect(secondsOf(() => byRequests.take(one(10)))).toBe(2)
  const byTokens = leaving({ answers: 1000, promptTokens: 100 })
  expect(secondsOf(() => byTokens.take(one(50)))).toBe(10)
  // All of them must leave before a prompt that long.
  expect(secondsOf(() => byTokens.take(one(5000)))).toBe(20)
})

test('an idle hour does not count as slowness, and before any measure it is a guess', () => {
  let now = 0
  const queue = new AdmissionQueue({ answers: 1, promptTokens: 1000 }, () => now)
  const first = queue.take(one(1))
  expect(secondsOf(() => queue.take(one(1)))).toBe(5)
  now += 3000
  first.leave()
  for (let i = 0; i < 5; i++) {
    now += 3_600_000
    const place = queue.take(one(1))
    now += 3000
    place.leave()
  }
  now += 3_600_000
  queue.take(one(1))
  expect(secondsOf(() => queue.take(one(1)))).toBe(3)
})

test('over HTTP: a full queue is 503 before anything is tokenized, and running answers do not count', async () => {
  const queue = new AdmissionQueue({ answers: 2, promptTokens: 1000 })
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
  expect([queue.answers, queue.promptTokens]).toEqual([0, 0])
})

test('a batch has a queue of its own: its prompts take no place and find none full', async () => {
  const queue = new AdmissionQueue({ answers: 1, promptTokens: 1000 })
  const { app, newKey, state } = await stateApp({ queue, engine: { words: ['a'] } })
  const caller = await state.authenticator.authenticate((await newKey()).secret)
  queue.take(one(1))
  const request = new Request('http://localhost/generate', {
    method: 'POST',
    body: '{"prompt":"x"}',
  })
  expect((await app.fetch(request, asCaller(caller))).status).toBe(200)
  expect(queue.answers).toBe(1)
})

test('a request that comes to nothing leaves no place behind', async () => {
  const queue = new AdmissionQueue({ answers: 1, promptTokens: 1000 })
  const { newKey, post } = await stateApp({ queue, engine: { contextLength: 5 } })
  const { headers } = await newKey({ limits: { requestsPerMinute: null, tokensPerHour: 3 } })
  expect((await post('/generate', { prompt: 'too long a text' }, headers)).status).toBe(422)
  expect((await post('/generate', { prompt: 'xx' }, headers)).status).toBe(429)
  const { headers: other } = await newKey()
  const left = await post('/generate', { prompt: 'x', stream: true }, other)
  await left.body?.cancel()
  expect([queue.answers, queue.promptTokens]).toEqual([0, 0])
})

describe('what a request really asks for', () => {
  /** A body that does not say how long it is. */
  const chunked = (body: object) => ({
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: new Blob([JSON.stringify(body)]).stream(),
    duplex: 'half' as const,
  })

  test('every choice of every prompt is an answer that waits, until its own first token', async () => {
    const queue = new AdmissionQueue({ answers: 10, promptTokens: 1000 })
    const { post } = testApp({ prefill: 50, words: ['a'] }, { queue })
    const large = post('/v1/completions', { prompt: ['a', 'b', 'c', 'd'], n: 2 })
    await expect.poll(() => queue.answers).toBe(8)
    const chat = { messages: [{ role: 'user', content: 'x' }] }
    expect((await post('/v1/chat/completions', { ...chat, n: 3 })).status).toBe(503)
    expect((await post('/v1/chat/completions', { ...chat, n: 2 })).status).toBe(200)
    expect((await large).status).toBe(200)
    expect([queue.answers, queue.promptTokens]).toEqual([0, 0])
  })

  test('bytes are those that came, whether or not a header says how many', async () => {
    const queue = new AdmissionQueue({ answers: 10, promptTokens: 1000 })
    const { app, post } = testApp({ prefill: 50, words: ['a'] }, { queue })
    const first = post('/generate', { prompt: 'x' })
    await expect.poll(() => queue.answers).toBe(1)
    const long = chunked({ prompt: 'x'.repeat(1000) })
    expect((await app.request('/generate', long)).status).toBe(503)
    expect((await app.request('/generate', chunked({ prompt: 'x' }))).status).toBe(200)
    expect((await first).status).toBe(200)
    expect([queue.answers, queue.promptTokens]).toEqual([0, 0])
  })
})
