/**
 * A token reads the experts it goes through and no others: what is counted as read does not grow with their number, and
 * experts that were not chosen may hold anything.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formatOf } from './formats/index.ts'
import { Device } from './gpu/device.ts'
import { Pipelines } from './gpu/pipeline.ts'
import { Plan } from './gpu/plan.ts'
import { type Kernel, tunings } from './kernel.ts'
import { type ExpertsShape, wholeExperts } from './lib/experts.ts'
import { expertDown } from './ops/expert-down.ts'
import { expertGateUp } from './ops/expert-gate-up.ts'
import { compare, prepare } from './oracle.ts'

const kernels = [expertGateUp, expertDown] as unknown as Kernel[]
const shape = (
  experts: number,
  chosen: number,
): ExpertsShape & Record<string, number | string> => ({
  ...wholeExperts('f32', 2, experts, chosen, 66, 64),
  ...{ activation: 'silu', limit: 0, alpha: 0, add: 0 },
})

describe.each(kernels)('$name', (kernel) => {
  let device: Device
  let pipelines: Pipelines
  beforeAll(async () => {
    device = await Device.open({})
    pipelines = new Pipelines(device)
  })
  afterAll(() => device.close())

  test('counts what the chosen experts take', () => {
    const read = (experts: number, chosen: number) => kernel.weightRows?.(shape(experts, chosen))
    expect(read(64, 2)).toBe(read(8, 2))
    expect(read(64, 4)).toBe((read(64, 2) ?? 0) * 2)
    const groups = (experts: number) => kernel.dispatch(shape(experts, 2), { SPLIT: 1 })
    expect(groups(64)).toEqual(groups(8))
  })

  test('is right whatever the others hold', async () => {
    const one = shape(8, 2)
    const [tuning] = tunings(kernel, one, device.caps)
    const prepared = await prepare(device, pipelines, kernel, one, tuning ?? {})
    const { routes } = prepared.known.io
    const chosen = new Set(routes?.filter((_, i) => i % 2 === 0))
    expect(chosen.size).toBeLessThan(8)
    const words = formatOf('f32').wordsPerRowBlock(64).words * 3
    for (let expert = 0; expert < 8; expert++) {
      if (chosen.has(expert)) continue
      const nans = new Uint32Array(words).fill(0xffffffff)
      device.memory.write(prepared.buffers.w as GPUBuffer, expert * words * 4, nans)
    }
    new Plan(device, [prepared.dispatch]).run(1)
    const outcome = await compare(device, kernel, one, prepared)
    expect(outcome.ok, outcome.where).toBe(true)
    prepared.release()
  })
})
