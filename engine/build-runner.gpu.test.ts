/** Memory that is short: a guess of pages gives way, what somebody asked for does not. */
import { afterEach, expect, test, vi } from 'vitest'
import { Device, GpuError } from '../kernels/index.ts'
import { writeRandomLlama } from '../test/random-llama.ts'
import { Engine } from './engine.ts'
import { removeFolder } from './weights/fixture.ts'

afterEach(() => vi.restoreAllMocks())

const realOpen = Device.open.bind(Device)

/** No single buffer of the KV cache may be larger. */
function limitKv(bytes: number): void {
  vi.spyOn(Device, 'open').mockImplementation(async (options) => {
    const device = await realOpen(options)
    const create = device.memory.create.bind(device.memory)
    vi.spyOn(device.memory, 'create').mockImplementation((...all) => {
      const [label, purpose, size] = all
      if (purpose !== 'kv-cache' || size <= bytes) return create(...all)
      const message = `${label}: no room for ${size} bytes`
      return Promise.reject(new GpuError('out-of-memory', message))
    })
    return device
  })
}

test('out of memory: fewer pages where their number was a guess, and an error where it was asked for', async () => {
  const model = await writeRandomLlama({ context: 256 })
  const inThread = { device: { inThread: true } }
  try {
    const roomy = await Engine.load(model.folder, inThread)
    const { total } = roomy.stats.pages
    const layerBytes = (roomy.stats.memory.byPurpose['kv-cache'] ?? 0) / model.sizes.layers
    await roomy.close()
    limitKv(layerBytes / 3)
    const tight = await Engine.load(model.folder, inThread)
    expect(tight.stats.pages.total).toBe(total / 4)
    expect((await tight.generate([1, 2, 3], { maxTokens: 3 }).result()).ids).toHaveLength(3)
    await tight.close()
    const asked = Engine.load(model.folder, { ...inThread, kvMemory: layerBytes * 2 })
    await expect(asked).rejects.toMatchObject({
      code: 'gpu',
      message: expect.stringMatching(/layer 0 kv: no room/) as string,
    })
    limitKv(100)
    await expect(Engine.load(model.folder, inThread)).rejects.toMatchObject({ code: 'gpu' })
  } finally {
    await removeFolder(model.folder)
  }
})
