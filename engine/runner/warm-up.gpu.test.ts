/** A second device that helps to compile: lost at any moment, it takes nothing with it. Here nothing is found in Mesa's cache. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { Device, GpuError } from '../../kernels/index.ts'
import { type RandomLlama, writeRandomLlama } from '../../test/random-llama.ts'
import { Engine } from '../engine.ts'
import { loadModel } from '../load-model.ts'
import { removeFolder } from '../weights/fixture.ts'

process.env.MESA_SHADER_CACHE_DISABLE = 'true'

let model: RandomLlama
const helpers: Device[] = []
const realOpenBeside = Device.openBeside.bind(Device)
const openingBeside = vi.spyOn(Device, 'openBeside')

beforeAll(async () => {
  model = await writeRandomLlama({ seed: 5, layers: 1, hidden: 32, intermediate: 64, context: 256 })
})
afterAll(async () => {
  vi.restoreAllMocks()
  if (model) await removeFolder(model.folder)
})

/** The greedy answer of a model just loaded, and the tokens of a second one, by when all may be compiled. */
async function answers(): Promise<{ ids: (readonly number[])[]; restarts: number }> {
  const engine = await Engine.load(model.folder, { device: { inThread: true } })
  try {
    const ids: (readonly number[])[] = []
    for (const length of [1, 40]) {
      const prompt = Array.from({ length }, (_, i) => 2 + i)
      const options = { temperature: 0, maxTokens: 20, ignoreEos: true }
      ids.push((await engine.generate(prompt, options).result()).ids)
    }
    return { ids, restarts: engine.stats.restarts }
  } finally {
    await engine.close()
  }
}

/** Every helper that opens; what befalls it comes from `happens`. */
const opens = (happens: (device: Device) => void): void => {
  openingBeside.mockImplementation(async (first) => {
    const device = await realOpenBeside(first)
    helpers.push(device)
    happens(device)
    return device
  })
}

describe('a second device', () => {
  let quiet: Awaited<ReturnType<typeof answers>>

  beforeAll(async () => {
    opens(() => undefined)
    quiet = await answers()
    expect(quiet.restarts).toBe(0)
    if (process.env.ILLUMINATOR_ADAPTER === 'lavapipe') expect(helpers.length).toBeGreaterThan(0)
  })
  afterEach(() => {
    expect(helpers.filter(({ open }) => open)).toEqual([])
  })

  test.each([
    ['at its first pipeline', 0],
    ['while it compiles', 300],
  ])('is lost %s: the same tokens, and no restart', async (_, ms) => {
    opens((device) => setTimeout(() => device.gpu.destroy(), ms))
    expect(await answers()).toEqual(quiet)
  })

  test('is lost at the first load of a process, which opens it sooner: the first compiles all', async () => {
    opens((device) => device.gpu.destroy())
    const { open } = await loadModel(model.folder, { isFirstOfProcess: true })
    await open.rest
    expect(open.device.failure).toBeNull()
    open.device.close()
  })

  test.runIf(process.env.ILLUMINATOR_ADAPTER === 'lavapipe')(
    'compiles what not every answer needs after the load, and creates it only then [needs lavapipe]',
    async () => {
      opens(() => undefined)
      const { open } = await loadModel(model.folder, { isFirstOfProcess: true })
      const { counters } = open.device
      const created = counters.pipelines
      expect(open.runner.isWhole).toBe(false)
      await open.rest
      expect(open.runner.isWhole).toBe(true)
      expect(counters.pipelines).toBeGreaterThan(created)
      open.device.close()
    },
  )

  test('cannot be opened: the first compiles all', async () => {
    openingBeside.mockRejectedValue(new GpuError('no-adapter', 'There is no second device today.'))
    expect(await answers()).toEqual(quiet)
  })
})
