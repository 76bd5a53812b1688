/** Every kernel × shape × tuning × capability set compiles, on Dawn's null backend: no driver, about 1 ms each. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formats } from './formats/index.ts'
import { CAPABILITY_SETS } from './gpu/capabilities.ts'
import { Device } from './gpu/device.ts'
import { Pipelines } from './gpu/pipeline.ts'
import { specialise } from './gpu/specialise.ts'
import { kernels } from './index.ts'
import { type Kernel, type Shape, tunings } from './kernel.ts'

let device: Device
let pipelines: Pipelines

beforeAll(async () => {
  device = await Device.openNull()
  pipelines = new Pipelines(device)
})
afterAll(() => device.close())

/** Test and bench shapes, and the first of them again in every weight format. */
function shapesOf(kernel: Kernel): Shape[] {
  const shapes = [...kernel.cases, ...Object.values(kernel.bench)]
  const first = shapes[0] as Shape
  if (!kernel.weight) return shapes
  return [...shapes, ...[...formats.keys()].map((format) => ({ ...first, format, columns: 128 }))]
}

describe.each(Object.entries(CAPABILITY_SETS))('with %s', (_, caps) => {
  test.each(Object.entries(kernels))('%s compiles in every variant', async (_name, declared) => {
    const kernel = declared as unknown as Kernel
    let variants = 0
    for (const shape of shapesOf(kernel)) {
      const valid = tunings(kernel, shape, caps)
      expect(
        valid.length,
        `${kernel.name} ${JSON.stringify(shape)} has no valid tuning`,
      ).toBeGreaterThan(0)
      for (const tuning of valid) {
        await pipelines.get(specialise(kernel, shape, tuning, caps))
        variants++
      }
    }
    expect(variants).toBeGreaterThan(0)
  })
})

test('invalid WGSL is an error that names kernel, file and line', async () => {
  const source = specialise(
    kernels.rmsNorm,
    { rows: 1, columns: 64, eps: 1e-5, add: 0 },
    { WG: 64, SUBGROUP: 0 },
    device.caps,
  )
  const broken = { ...source, code: source.code.replace('var sum = 0.0', 'var sum = true') }
  await expect(pipelines.get(broken)).rejects.toThrow(/rms-norm: rms-norm\.wgsl:\d+/)
})

test('a missing buffer and a wrong binding are errors that name the kernel', async () => {
  const source = specialise(
    kernels.rmsNorm,
    { rows: 1, columns: 64, eps: 1e-5, add: 0 },
    { WG: 64, SUBGROUP: 0 },
    device.caps,
  )
  await expect(pipelines.bind(source, {})).rejects.toThrow(
    /rms-norm: no buffer given for binding "x"/,
  )
  const uniform = await device.memory.create('wrong', 'test', 64, GPUBufferUsage.UNIFORM)
  const buffers = { x: uniform, weight: uniform, source: uniform, y: uniform }
  await expect(pipelines.bind(source, buffers)).rejects.toThrow(/rms-norm/)
})
