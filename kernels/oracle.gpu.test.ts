/** Every kernel × case × tuning matches its oracle on the adapter at hand, with its features and without them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Device } from './gpu/device.ts'
import { Pipelines } from './gpu/pipeline.ts'
import { kernels } from './index.ts'
import { type Kernel, tunings } from './kernel.ts'
import { checkKernel } from './oracle.ts'

describe.each([
  { title: 'all features', without: [] },
  { title: 'no f16, no subgroups', without: ['shader-f16', 'subgroups'] },
] as const)('with $title', ({ without }) => {
  let device: Device
  let pipelines: Pipelines

  beforeAll(async () => {
    device = await Device.open({ without })
    pipelines = new Pipelines(device)
  })
  afterAll(() => device.close())

  test.each(Object.entries(kernels))('%s', async (_name, declared) => {
    const kernel = declared as unknown as Kernel
    for (const shape of kernel.cases) {
      for (const tuning of tunings(kernel, shape, device.caps)) {
        const outcome = await checkKernel(device, pipelines, kernel, shape, tuning)
        const what = `${kernel.name} ${JSON.stringify(shape)} ${JSON.stringify(tuning)}`
        expect(
          outcome.ok,
          `${what}: ${outcome.where} (${outcome.worst} > ${kernel.tolerance})`,
        ).toBe(true)
      }
    }
  })
})
