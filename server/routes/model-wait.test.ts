/** Requests whose model is being loaded: they wait, streams with comments, and end as any request does. */
import { expect, test } from 'vitest'
import { EngineError } from '../../engine/errors.ts'
import { manyModels } from '../../test/many-models.ts'
import { frames, json, type WireError } from '../../test/server-app.ts'
import { ANYONE } from '../auth/caller.ts'
import type { SocketFrame } from '../contract/ws.ts'
import { answer } from '../ws/answer.ts'

const A = 'lab/a'

test('a stream begins at once, and comments fill the time of the load', async () => {
  const { ask, answers, engines } = manyModels({ listed: [A], loadMs: 200 })
  const response = await ask(A, { stream: true })
  expect(response.status).toBe(200)
  expect(engines).toHaveLength(0)
  const text = await response.text()
  const [before = ''] = text.split('data: ')
  expect(before.match(/: keep-alive\n\n/g)?.length).toBeGreaterThan(3)
  expect(text).toContain('"text":"a"')
  expect(text).toMatch(/data: \[DONE\]\n\n$/)
  expect(answers).toMatchObject([{ model: A, outcome: 'completed', completionTokens: 3 }])
})

test('all that wait share one load', async () => {
  const { says, models, engines } = manyModels({ listed: [A], loadMs: 30 })
  const answers = await Promise.all(Array.from({ length: 50 }, () => says(A)))
  expect(new Set(answers)).toEqual(new Set(['a says hello']))
  expect(engines).toHaveLength(1)
  expect(models.all[0]).toMatchObject({ loads: 1, isInUse: false })
})

test('a load that fails: an error without details, told of once a request, and tried again later', async () => {
  const failure: { error: Error | null } = {
    error: new EngineError('model', 'no tensor in /home/me'),
  }
  const { ask, answers, kinds, models, says } = manyModels({ listed: [A], failure, loadMs: 20 })
  const plain = await ask(A)
  expect(plain.status).toBe(500)
  const { error } = await json<WireError>(plain)
  expect(error.code).toBe('model_load_failed')
  expect(JSON.stringify(error)).not.toContain('/home')
  // While the failure is fresh it is not tried again.
  const stream = await ask(A, { stream: true })
  expect(stream.status).toBe(500)
  expect(kinds()).toEqual(['failed lab/a'])
  expect(answers.map(({ outcome, code }) => `${outcome} ${code}`)).toEqual(
    Array(2).fill('failed model_load_failed'),
  )
  failure.error = null
  Object.defineProperty(models.all[0], 'recentFailure', { value: null })
  expect(await says(A)).toBe('a says hello')
})

test('a load that fails after the stream began ends it with an error frame', async () => {
  const failure = { error: new EngineError('model', 'no such tensor') }
  const { ask, answers } = manyModels({ listed: [A], failure, loadMs: 60 })
  const [last, ...rest] = await frames(await ask(A, { stream: true }))
  expect(last).toMatchObject({ error: { code: 'model_load_failed' } })
  expect(rest).toEqual([])
  expect(answers).toMatchObject([{ outcome: 'failed', code: 'model_load_failed' }])
})

test('a refusal that only the engine can find ends a stream that waited with an error frame, told of once', async () => {
  const { ask, answers, lifecycle } = manyModels({ listed: [A], loadMs: 60 })
  const got = await frames(await ask(A, { stream: true, prompt: 'x'.repeat(5000) }))
  expect(got).toMatchObject([{ error: { code: 'context_length_exceeded' } }])
  expect(answers).toMatchObject([{ outcome: 'failed', code: 'context_length_exceeded' }])
  expect(lifecycle.underWay).toBe(0)
})

test.each([true, false])(
  'a client that leaves while it waits (stream: %s) is told of once',
  async (stream) => {
    const { ask, answers, lifecycle, deps, engines } = manyModels({ listed: [A], loadMs: 60 })
    const control = new AbortController()
    const asking = Promise.resolve(ask(A, { stream }, control.signal))
    if (stream) await (await asking).body?.cancel()
    else {
      setTimeout(() => control.abort(), 20)
      expect((await asking).status).toBe(499)
    }
    await expect.poll(() => answers).toMatchObject([{ outcome: 'cancelled', completionTokens: 0 }])
    await expect.poll(() => lifecycle.underWay).toBe(0)
    expect(deps.queue.answers).toBe(0)
    await expect.poll(() => engines.length).toBe(1)
    expect(engines[0]?.calls).toEqual([])
  },
)

test('time counts from the admission', async () => {
  const { ask, answers } = manyModels({ listed: [A], loadMs: 100, timeoutMs: 30 })
  const response = await ask(A)
  expect(response.status).toBe(504)
  expect(answers).toMatchObject([{ outcome: 'failed', code: 'timeout' }])
})

test('a shutdown refuses who waits, at once', async () => {
  const { ask, answers, lifecycle, models, engines } = manyModels({ listed: [A], loadMs: 300 })
  const waiting = [ask(A), ask(A, { stream: true })].map(async (asked) => (await asked).text())
  await expect.poll(() => lifecycle.underWay).toBe(2)
  models.stop()
  for (const text of await Promise.all(waiting)) expect(text).toContain('"code":"draining"')
  expect(await lifecycle.drain(1000)).toBe(true)
  expect(answers.map(({ code }) => code)).toEqual(['draining', 'draining'])
  await models.close()
  expect(engines).toHaveLength(0)
})

test('a message on a WebSocket waits as well, and may be cancelled', async () => {
  const { deps, answers, lifecycle } = manyModels({ listed: [A], loadMs: 40 })
  const send = (gone: AbortSignal) => {
    const told: SocketFrame[] = []
    const ask = {
      type: 'generate',
      id: 1,
      body: { prompt: 'x', model: A },
      bytes: 10,
      requestId: 'r',
      caller: ANYONE,
      gone,
    } as const
    return answer(deps, ask, async (frame) => void told.push(frame)).then(() => told)
  }
  const control = new AbortController()
  const [left, stayed] = [send(control.signal), send(new AbortController().signal)]
  setTimeout(() => control.abort(), 10)
  expect(await left).toMatchObject([{ type: 'error', data: { code: 'cancelled' } }])
  expect((await stayed).at(-1)).toMatchObject({ type: 'complete', data: { finish_reason: 'stop' } })
  expect(answers.map(({ outcome }) => outcome)).toEqual(['cancelled', 'completed'])
  expect(lifecycle.underWay).toBe(0)
})
