/** The gate on a made-up kernel: everything is real but the clock, which counts work instead of time. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Dispatch } from '../../kernels/gpu/plan.ts'
import { Device, Pipelines } from '../../kernels/index.ts'
import { Random } from '../../kernels/kernel.ts'
import { compareVersions, type GateBench } from './compare.ts'
import { spinVersion, zeroVersion } from './spin.ts'

let device: Device
let bench: GateBench
beforeAll(async () => {
  device = await Device.open()
  const random = new Random(1)
  const lapsOf = ({ pipeline }: Dispatch): number =>
    Number(/const LAPS: u32 = (\d+)u?;/.exec(pipeline.source.code)?.[1])
  const stopwatch = {
    time: async (dispatches: readonly Dispatch[]) =>
      dispatches.reduce((sum, one) => sum + lapsOf(one), 0) * (1 + random.below(100) / 1000),
  }
  const pipelines = new Pipelines(device)
  bench = { device, pipelines, stopwatch, pairs: 15, atLeast: 4000, coldBytes: 2 ** 16 }
})
afterAll(() => device.close())

const against = (now: ReturnType<typeof spinVersion>) =>
  compareVersions(bench, spinVersion(1), now, undefined, () => undefined)

it('catches 30 % more work, lets no change and less work pass, and leaves no buffer behind', async () => {
  const before = device.memory.usage.total
  const verdicts: (string | undefined)[] = []
  for (const factor of [1.3, 1, 0.7]) {
    const { rows, wrong, notes } = await against(spinVersion(factor))
    expect([wrong, notes]).toEqual([[], []])
    verdicts.push(rows[0]?.verdict)
  }
  expect(verdicts).toEqual(['slower', 'same', 'faster'])
  expect(device.memory.usage.total).toBe(before)
})

it('catches a kernel that returns zeros; where the one before did, it is a note', async () => {
  const { rows, wrong } = await against(zeroVersion())
  expect(rows).toEqual([])
  expect(wrong).toEqual([expect.stringContaining('computes the wrong numbers: y[0]: got 0')])
  const back = await compareVersions(
    bench,
    zeroVersion(),
    spinVersion(1),
    undefined,
    () => undefined,
  )
  expect(back.wrong).toEqual([])
  expect(back.notes).toEqual([expect.stringContaining('zeros computes the wrong numbers')])
})

it('says what the version before did not have', async () => {
  const none = { ...spinVersion(1), title: 'old', kernels: {} }
  const { rows, notes } = await compareVersions(
    bench,
    none,
    spinVersion(1),
    undefined,
    () => undefined,
  )
  expect([rows, notes]).toEqual([[], ['spin: made: old has none']])
})
