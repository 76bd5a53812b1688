/** A GPU that is lost, at any moment and however often: nothing under way is lost with it, and no token changes. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { Device, GpuError } from '../kernels/index.ts'
import { type RandomLlama, TEXT_VOCABULARY, writeRandomLlama } from '../test/random-llama.ts'
import { SLOW } from '../test/slow-adapter.ts'
import type { GenerateOptions, GenerateResult } from './api.ts'
import { Engine } from './engine.ts'
import type { EngineError } from './errors.ts'
import { removeFolder } from './weights/fixture.ts'

const TINY = { layers: 1, hidden: 32, intermediate: 64, context: 1024 }
let model: RandomLlama
let engine: Engine
const realOpen = Device.open.bind(Device)
const realOpenBeside = Device.openBeside.bind(Device)
/** Every device that was opened to answer, oldest first. */
const devices: Device[] = []
/** Those that only helped to compile. */
const helpers: Device[] = []
const opening = vi.spyOn(Device, 'open')
const track: typeof Device.open = async (options) => {
  const device = await realOpen(options)
  devices.push(device)
  return device
}
opening.mockImplementation(track)
vi.spyOn(Device, 'openBeside').mockImplementation(async (first) => {
  const device = await realOpenBeside(first)
  helpers.push(device)
  return device
})

beforeAll(async () => {
  model = await writeRandomLlama({ seed: 5, text: true, ...TINY })
  engine = await Engine.load(model.folder, { device: { inThread: true } })
  await until(() => devices.filter(({ open }) => open).length === 1)
})
afterEach(() => {
  expect(engine.stats).toMatchObject({ running: 0, queued: 0, pages: { inUse: 0 } })
})
afterAll(async () => {
  await engine?.close()
  vi.restoreAllMocks()
  if (model) await removeFolder(model.folder)
})

const ids = (length: number, shift = 0): number[] =>
  Array.from({ length }, (_, i) => 2 + ((i * 37 + shift * 11) % (TEXT_VOCABULARY - 2)))

const SAMPLED: GenerateOptions = { temperature: 0.9, topK: 40, topP: 0.95 }

const answer = (prompt: readonly number[], options: GenerateOptions): Promise<GenerateResult> =>
  engine.generate(prompt, { ignoreEos: true, maxTokens: 40, ...options }).result()

const failure = async (work: Promise<unknown>): Promise<EngineError> =>
  work.then(
    () => expect.fail('It did not fail.'),
    (error) => error as EngineError,
  )

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate)
}

const steps = (more: number): Promise<void> => {
  const at = engine.stats.steps
  return until(() => engine.stats.steps >= at + more)
}

function gateOf(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

const inUse = (): Device | undefined => devices.filter(({ open }) => open).at(-1)

/** The device in use is gone at once. */
const lose = (): void => inUse()?.gpu.destroy()

const failOpening = (): unknown =>
  opening.mockRejectedValueOnce(new GpuError('no-adapter', 'There is no adapter today.'))

const LOSSES = SLOW ? 5 : 20

describe(`lost ${LOSSES} times while eight sequences run`, () => {
  const requests: readonly [number[], GenerateOptions][] = [
    [ids(20), { temperature: 0 }],
    [ids(33, 1), { ...SAMPLED, seed: 7 }],
    [ids(48, 2), { temperature: 0, repetitionPenalty: 1.2, frequencyPenalty: 0.7 }],
    [ids(5, 3), { ...SAMPLED, seed: 8, n: 2 }],
    [ids(17, 4), { ...SAMPLED, seed: 9, priority: 'batch' }],
    [ids(70, 5), { ...SAMPLED, seed: 10, logprobs: true, topLogprobs: 2, presencePenalty: 1 }],
    [ids(1, 6), { temperature: 0, logitBias: { 9: 2 }, allowedTokens: ids(100, 6) }],
  ]
  const TOKENS = SLOW ? 100 : 300

  test('every sequence ends, and with the very tokens and log-probabilities of a quiet day', async () => {
    const quiet: GenerateResult[] = []
    for (const [index, [prompt, options]] of requests.entries()) {
      const cacheSalt = `quiet ${index}`
      quiet.push(await answer(prompt, { ...options, maxTokens: TOKENS, cacheSalt }))
    }
    const before = engine.stats
    let tokens = 0
    const running = requests.map(async ([prompt, options]) => {
      const own = { ...options, ignoreEos: true, maxTokens: TOKENS, cacheSalt: 'loud' }
      const generation = engine.generate(prompt, own)
      for await (const chunk of generation) tokens += chunk.ids.length
      return generation.result()
    })
    await until(() => engine.stats.running === 8)
    for (let loss = 1; loss <= LOSSES; loss++) {
      // Now while tokens are computed again, now while most decode.
      const at = tokens
      await steps(1 + (loss % 3))
      if (loss % 2 === 0) await until(() => tokens >= at + 50)
      expect(engine.stats.running + engine.stats.queued).toBe(8)
      lose()
      await until(() => engine.stats.restarts === before.restarts + loss)
    }
    const loud = await Promise.all(running)
    expect(loud.map(({ choices }) => choices)).toEqual(quiet.map(({ choices }) => choices))
    expect(engine.stats.restarts).toBe(before.restarts + LOSSES)
    expect(engine.stats.pages.inUse).toBe(0)
    expect(engine.stats.memory).toEqual(before.memory)
  })
})

describe('lost', () => {
  const wanted = () => answer(ids(900), { ...SAMPLED, seed: 3, cacheSalt: 'before' })
  const again = (salt: string) => answer(ids(900), { ...SAMPLED, seed: 3, cacheSalt: salt })

  test('while idle: the next request is answered', async () => {
    const expected = (await wanted()).ids
    const { restarts } = engine.stats
    lose()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect((await again('idle')).ids).toEqual(expected)
    expect(engine.stats.restarts).toBe(restarts + 1)
  })

  test('in prefill: it begins anew', async () => {
    const expected = (await wanted()).ids
    const { restarts } = engine.stats
    const running = again('prefill')
    await steps(3)
    lose()
    expect((await running).ids).toEqual(expected)
    expect(engine.stats.restarts).toBe(restarts + 1)
  })

  test('the cache is gone with it, and told as it was found at the first start', async () => {
    await again('cached')
    const found = (await again('cached')).usage.cachedTokens
    expect(found).toBeGreaterThan(890)
    lose()
    const after = await again('cached')
    // A request that comes before anybody noticed may be started on the old cache.
    expect([0, found]).toContain(after.usage.cachedTokens)
    expect((await again('cached')).usage.cachedTokens).toBe(found)
  })

  test('and while scores are computed: the same logits', async () => {
    const expected = await engine.logits(ids(300), { all: true })
    const running = engine.logits(ids(300), { all: true })
    await steps(2)
    lose()
    const { all } = await running
    expect(all?.length).toBe(expected.all?.length)
    expect(all).toEqual(expected.all)
  })

  test('an error that nobody caught counts as a loss', async () => {
    const expected = (await wanted()).ids
    const { restarts } = engine.stats
    const running = again('error')
    await steps(4)
    // No buffer can be both.
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE
    inUse()?.gpu.createBuffer({ label: 'wrong', size: 16, usage })
    expect((await running).ids).toEqual(expected)
    expect(engine.stats.restarts).toBe(restarts + 1)
  })
})

describe('opening again', () => {
  const some = () =>
    [0, 1, 2].map((i) => answer(ids(30, i), { temperature: 0, maxTokens: 100, cacheSalt: 'some' }))

  test('fails once: it is tried again', async () => {
    const expected = (await Promise.all(some())).map((one) => one.ids)
    const { restarts } = engine.stats
    const running = Promise.all(some())
    await steps(5)
    failOpening()
    lose()
    expect((await running).map((one) => one.ids)).toEqual(expected)
    expect(engine.stats.restarts).toBe(restarts + 1)
  })

  test('fails twice: all that is open hears why, and a later request is answered', async () => {
    const expected = (await Promise.all(some())).map((one) => one.ids)
    const { restarts } = engine.stats
    // More than run at once: those that wait hear it, too.
    const running = Array.from({ length: 20 }, some).flat().map(failure)
    await steps(5)
    failOpening()
    failOpening()
    lose()
    for (const error of await Promise.all(running)) {
      expect(error.code).toBe('gpu')
      expect(error.message).toMatch(
        /^The GPU failed, and opening it again did not help: There is no adapter today\.$/,
      )
    }
    expect(engine.stats).toMatchObject({ running: 0, queued: 0, pages: { inUse: 0 } })
    expect(engine.stats.restarts).toBe(restarts)
    expect((await Promise.all(some())).map((one) => one.ids)).toEqual(expected)
    expect(engine.stats.restarts).toBe(restarts + 1)
  })

  test('may be cut short by close: what is open ends with `closed`, and the new device is closed', async () => {
    const own = await Engine.load(model.folder, { device: { inThread: true } })
    const running = [0, 1].map((i) =>
      failure(own.generate(ids(30, i), { maxTokens: 500, ignoreEos: true }).result()),
    )
    await until(() => own.stats.steps > 5)
    const first = devices.length - 1
    const gate = gateOf()
    const called = gateOf()
    opening.mockImplementationOnce(async (options) => {
      called.resolve()
      await gate.promise
      return track(options)
    })
    lose()
    await called.promise
    const closing = own.close()
    for (const error of await Promise.all(running)) expect(error.code).toBe('closed')
    gate.resolve()
    await closing
    expect(devices.length).toBe(first + 2)
    expect([...devices.slice(first), ...helpers].filter(({ open }) => open)).toEqual([])
  })
})
