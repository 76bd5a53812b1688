/** The bench on the adapter at hand, with tiny sizes: probes, a row, and what it must catch. No test asserts a time. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Pipelines } from '../../kernels/gpu/pipeline.ts'
import { Device, kernels } from '../../kernels/index.ts'
import { type Kernel, type Shape, tunings } from '../../kernels/kernel.ts'
import { BenchError } from '../failure.ts'
import { Probes } from '../probes.ts'
import { Stopwatch } from '../stopwatch.ts'
import { bytesMoved, engineTuning, type KernelBench, timeKernel } from './kernels.ts'

const linear = kernels.linear as unknown as Kernel
const rmsNorm = kernels.rmsNorm as unknown as Kernel
const norm: Shape = { rows: 2, columns: 64, eps: 1e-5, add: 0 }

let device: Device
let bench: KernelBench
beforeAll(async () => {
  device = await Device.open()
  const pipelines = new Pipelines(device)
  const stopwatch = await Stopwatch.open(device)
  const sizes = { bytes: 2 ** 22, atLeast: 1, repeats: 1 }
  const probes = await Probes.run(device, pipelines, stopwatch, sizes)
  bench = { device, pipelines, stopwatch, probes, repeats: 2, atLeast: 1, coldBytes: 2 ** 16 }
})
afterAll(() => device.close())

const tuningOf = (kernel: Kernel, shape: Shape) => engineTuning(kernel, shape, device)

/** Of a bench whose probes are beyond reach: what is asserted is not how fast this machine is. */
const unbounded = (): KernelBench => {
  const floorNow = async (): Promise<number> => 1
  const probes = Object.assign(Object.create(bench.probes), { read: 1e9, fma: 1e9, floorNow })
  return { ...bench, probes }
}

it('probes give finite figures above zero', () => {
  expect(bench.probes.read).toBeGreaterThan(0)
  expect(bench.probes.fma).toBeGreaterThan(0)
  expect(Math.min(...Object.values(bench.probes.dispatch))).toBeGreaterThan(0)
  expect(bench.probes.read + bench.probes.fma).toBeLessThan(Number.POSITIVE_INFINITY)
  expect(bench.probes.floor(bench.probes.read * 1e6, 0)).toBeCloseTo(1)
})

it('the floor of a moment is finite, by either bound', async () => {
  for (const [bytes, flops] of [
    [1e6, 0],
    [0, 1e6],
  ] as const) {
    const floor = await bench.probes.floorNow(bytes, flops)
    expect(floor).toBeGreaterThan(0)
    expect(floor).toBeLessThan(Number.POSITIVE_INFINITY)
  }
})

it('a row is checked, timed over a rotation of copies, and leaves no buffer behind', async () => {
  const shape = linear.cases.find(({ add }) => add === 1) as Shape
  const before = device.memory.usage.total
  const row = await timeKernel(unbounded(), 'linear', linear, shape, tuningOf(linear, shape))
  expect(row.copies).toBeGreaterThan(1)
  expect(row.ms.min).toBeGreaterThan(0)
  expect(row.ms.max).toBeGreaterThanOrEqual(row.ms.median)
  expect(device.memory.usage.total).toBe(before)
})

it('every kernel × shape has a tuning that the engine takes and the device can run', () => {
  for (const declared of Object.values(kernels)) {
    const kernel = declared as unknown as Kernel
    for (const shape of Object.values(kernel.bench)) {
      expect(tunings(kernel, shape, device.caps)).toContainEqual(tuningOf(kernel, shape))
    }
  }
})

it('a kernel that returns zeros is caught', async () => {
  const zeros = { ...rmsNorm, wgsl: new URL('../fixtures/zeros.wgsl', import.meta.url) }
  const tuning = tuningOf(rmsNorm, norm)
  await expect(timeKernel(bench, 'zeros', zeros, norm, tuning)).rejects.toThrow(
    /zeros computes the wrong numbers/,
  )
})

it('a figure above the probe is caught, after both were measured once more', async () => {
  let refreshed = 0
  const refresh = async (): Promise<void> => void refreshed++
  const floorNow = async (): Promise<number> => 1
  const probes = Object.assign(Object.create(bench.probes), { read: 1e-9, refresh, floorNow })
  const tuning = tuningOf(rmsNorm, norm)
  const error = await timeKernel({ ...bench, probes }, 'norm', rmsNorm, norm, tuning).catch(
    (caught: unknown) => caught,
  )
  expect(error).toBeInstanceOf(BenchError)
  expect((error as BenchError).message).toMatch(/norm would run at .* GB\/s, above/)
  expect(refreshed).toBe(1)
})

it('counts a matrix where all of it is read, and not where rows of it are looked up', () => {
  const embed = kernels.embed as unknown as Kernel
  const product = Object.values(linear.bench)[0] as Shape
  const lookup = Object.values(embed.bench)[0] as Shape
  expect(bytesMoved(linear, product, 1e6)).toBe(linear.cost(product).bytes + 1e6)
  expect(bytesMoved(embed, lookup, 1e6)).toBe(embed.cost(lookup).bytes)
})
