/** Several models on one server: loaded when asked for, within a budget, and unloaded when nobody uses them. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { MB, manyModels } from '../../test/many-models.ts'
import { json, type WireError } from '../../test/server-app.ts'
import type { ModelsResponse } from '../contract/facts.ts'

const [A, B, C] = ['lab/a', 'lab/b', 'lab/c'] as const

describe('names', () => {
  test('a request reaches the model it names: by id, by the last part, by an alias, or by saying nothing', async () => {
    const { says, models } = manyModels({ pinned: [A], listed: [B] })
    await models.loadPinned()
    expect(await says(B)).toBe('b says hello')
    expect(await says('b')).toBe('b says hello')
    expect(await says(undefined)).toBe('a says hello')
  })

  test('an unknown name is 404 and says what there is', async () => {
    const { ask } = manyModels({ pinned: [A], listed: [B, C] })
    const response = await ask('lab/d')
    expect(response.status).toBe(404)
    const { error } = await json<WireError>(response)
    expect(error.message).toContain("this server has 'lab/a', 'lab/b', 'lab/c'")
  })

  test('where several are listed and none is the usual one, a request must say which', async () => {
    const { ask, says } = manyModels({ listed: [B, C] })
    const response = await ask(undefined)
    expect(response.status).toBe(400)
    expect((await json<WireError>(response)).error).toMatchObject({
      code: 'missing_parameter',
      param: 'model',
    })
    const only = manyModels({ listed: [B] })
    await only.models.refresh()
    expect(await only.says(undefined)).toBe('b says hello')
    expect(await says(C)).toBe('c says hello')
  })

  test('a model that comes into the folder later is found, and one that goes is forgotten', async () => {
    const now = vi.spyOn(performance, 'now')
    const { catalog, models, says } = manyModels({ listed: [A] })
    expect(await says(B)).toBe(404)
    catalog.ids = [A, B]
    now.mockImplementation(() => 1e9)
    expect(await says(B)).toBe('b says hello')
    catalog.ids = []
    now.mockImplementation(() => 2e9)
    await models.refresh()
    now.mockRestore()
    expect(models.all.map(({ id }) => id)).toEqual([B])
  })

  test('a load that shows that the name was another model’s ends with 404', async () => {
    const { lifecycle, ask } = manyModels()
    expect(lifecycle.models.all).toHaveLength(0)
    const { Models } = await import('./models.ts')
    const { FakeEngine } = await import('../fake-engine.ts')
    const unnamed = new Models({ pinned: [{ load: async () => new FakeEngine() }] })
    Object.assign(lifecycle, { models: unnamed })
    expect((await ask('someone/else')).status).toBe(404)
    expect((await ask('tiny-1')).status).toBe(200)
  })
})

describe('listing', () => {
  test('/models tells of each whether it is loaded; what only a load can tell is null until then', async () => {
    const { app, models, says } = manyModels({ pinned: [A], listed: [A, B] })
    await models.loadPinned()
    const list = async () => (await json<ModelsResponse>(await app.request('/models'))).models
    expect(await list()).toMatchObject([
      { id: A, state: 'loaded', pinned: true, parameters: '135M', memory_usage: '100.0MB' },
      {
        id: B,
        state: 'unloaded',
        pinned: false,
        parameters: null,
        context_length: 2048,
        memory_usage: null,
      },
    ])
    await says(B)
    expect((await list())[1]).toMatchObject({
      state: 'loaded',
      parameters: '135M',
      context_length: 2048,
    })
    expect((await app.request('/v1/models/lab/b')).status).toBe(200)
  })

  test('a server of models on demand is ready with none loaded, and /metrics counts them', async () => {
    const { app, models, says } = manyModels({ listed: [A, B] })
    await models.loadPinned()
    const health = await app.request('/health')
    expect(health.status).toBe(200)
    expect(await json(health)).toMatchObject({ status: 'healthy', model_loaded: false })
    await says(A)
    const text = await (await app.request('/metrics')).text()
    expect(text).toContain('illuminator_models{state="loaded"} 1')
    expect(text).toContain('illuminator_models{state="unloaded"} 1')
    expect(text).toContain('illuminator_model_loads_total{model="lab/a"} 1')
  })
})

describe('keep-alive', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())
  const settle = () => vi.advanceTimersByTimeAsync(20)

  test('a model that nobody uses for so long is unloaded, and loaded again when asked for; pinned ones stay', async () => {
    const { kinds, says, models, open } = manyModels({
      pinned: [A],
      listed: [B],
      keepAliveMs: 60_000,
    })
    void models.loadPinned()
    await settle()
    for (let round = 0; round < 2; round++) {
      const answer = says(B)
      await settle()
      expect(await answer).toBe('b says hello')
      await vi.advanceTimersByTimeAsync(59_000)
      expect(open()).toHaveLength(2)
      await vi.advanceTimersByTimeAsync(2000)
      expect(open()).toHaveLength(1)
    }
    expect(kinds()).toEqual(
      ['loaded lab/a', ...Array(2).fill(['loaded lab/b', 'unloaded lab/b'])].flat(),
    )
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(open().map(({ info }) => info.id)).toEqual([A])
  })

  test('the clock does not run while an answer does', async () => {
    const engine = { rate: 1, words: Array<string>(10).fill('a') }
    const { open, says } = manyModels({ listed: [B], keepAliveMs: 3000, engine })
    const answer = says(B)
    await vi.advanceTimersByTimeAsync(9000)
    expect(open()).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(3000)
    expect(await answer).toBe('a'.repeat(10))
    expect(open()).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(3000)
    expect(open()).toHaveLength(0)
  })

  test('a negative time is for ever, and 0 is at once', async () => {
    for (const [keepAliveMs, left] of [
      [-1, 1],
      [0, 0],
    ] as const) {
      const { open, says } = manyModels({ listed: [B], keepAliveMs })
      void says(B)
      await vi.advanceTimersByTimeAsync(1e9)
      expect(open()).toHaveLength(left)
    }
  })
})

describe('memory', () => {
  test('what was used least recently makes room', async () => {
    const { kinds, says } = manyModels({ listed: [A, B, C], budget: 250 * MB })
    for (const id of [A, B, A, C, B]) expect(await says(id)).toContain('says hello')
    expect(kinds()).toEqual([
      'loaded lab/a',
      'loaded lab/b',
      'unloaded lab/b',
      'loaded lab/c',
      'unloaded lab/a',
      'loaded lab/b',
    ])
  })

  test('one that is in use ends its answers first; who asks for it meanwhile waits for its next load', async () => {
    const engine = { rate: 50, words: Array<string>(12).fill('a') }
    const { kinds, models, most, says } = manyModels({ listed: [A, B], budget: 150 * MB, engine })
    const first = says(A)
    await expect.poll(kinds).toEqual(['loaded lab/a'])
    const second = says(B)
    await expect.poll(() => models.all[0]?.state).toBe('unloaded')
    const third = says(A)
    expect(await Promise.all([first, second, third])).toEqual(Array(3).fill('a'.repeat(12)))
    expect(kinds()).toEqual([
      'loaded lab/a',
      'unloaded lab/a',
      'loaded lab/b',
      'unloaded lab/b',
      'loaded lab/a',
    ])
    expect(most()).toBe(100 * MB)
  })

  test('what cannot fit beside the pinned ones is refused, and nothing is unloaded for it in vain', async () => {
    const { ask, models, open } = manyModels({ pinned: [A], listed: [B], budget: 150 * MB })
    await models.loadPinned()
    const response = await ask(B)
    expect(response.status).toBe(503)
    expect(response.headers.get('x-should-retry')).toBe('false')
    const { error } = await json<WireError>(response)
    expect(error).toMatchObject({ code: 'insufficient_memory', param: 'model' })
    expect(error.message).toBe(
      "The model 'lab/b' takes about 0.10 GB, and of the 0.15 GB that models may take here 0.05 GB can be had.",
    )
    expect(open()).toHaveLength(1)
  })

  test('whatever is asked of five models in whatever order: each answers for itself, and the budget holds', async () => {
    const ids = ['a', 'b', 'c', 'd', 'e']
    const { kinds, models, most, open, says } = manyModels({
      listed: ids,
      budget: 250 * MB,
      keepAliveMs: 1,
    })
    const answers = await Promise.all(
      Array.from({ length: 400 }, async (_, at) => {
        await new Promise((resolve) => setTimeout(resolve, (at * 7919) % 200))
        const id = ids[(at * 31 + (at >> 3)) % 5] ?? ''
        return [id, await says(id)]
      }),
    )
    for (const [id, text] of answers) expect(text).toBe(`${id} says hello`)
    expect(most()).toBe(200 * MB)
    expect(kinds().length).toBeGreaterThan(10)
    await models.close()
    expect(open()).toHaveLength(0)
  })
})
