/** Recording on Dawn's null backend: which bind groups are made, and when. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { kernels } from '../index.ts'
import { Device } from './device.ts'
import { type Buffers, Pipelines } from './pipeline.ts'
import { encode } from './plan.ts'
import { Recorder } from './recorder.ts'

let device: Device
let bound: Buffers
beforeAll(async () => {
  device = await Device.openNull()
  const buffer = (name: string) => device.memory.storage(name, 'test', 4096)
  const [x, weight, source, y] = await Promise.all(['x', 'weight', 'source', 'y'].map(buffer))
  bound = { x: x!, weight: weight!, source: source!, y: y! }
})
afterAll(() => device.close())

const norm = (recorder: Recorder, add: 0 | 1, buffers: Buffers) =>
  recorder.record(
    kernels.rmsNorm,
    { rows: 1, columns: 64, eps: 1e-5, add },
    { WG: 64, SUBGROUP: 0 },
    buffers,
  )

test('what is bound together is made in one go after all is recorded, once for the same buffers', async () => {
  const recorder = new Recorder(device, new Pipelines(device))
  const before = await norm(recorder, 0, bound)
  const scoped = vi.spyOn(device, 'scoped')
  const made = device.counters.bindGroups
  const swapped = { ...bound, x: bound.y!, y: bound.x! }
  const [known, one, other] = await recorder.bindingTogether(async () => {
    const all = [
      await norm(recorder, 1, bound),
      await norm(recorder, 0, swapped),
      await norm(recorder, 1, swapped),
    ] as const
    expect(device.counters.bindGroups).toBe(made)
    return all
  })
  expect(scoped.mock.calls.filter(([what]) => what.includes('bind group'))).toHaveLength(1)
  scoped.mockRestore()
  expect(device.counters.bindGroups).toBe(made + 1)
  expect(known.bindGroup).toBe(before.bindGroup)
  expect(one.bindGroup).toBeInstanceOf(before.bindGroup.constructor)
  expect(one.bindGroup).not.toBe(before.bindGroup)
  expect(other.bindGroup).toBe(one.bindGroup)
  expect((await norm(recorder, 0, swapped)).bindGroup).toBe(one.bindGroup)
})

test('a group that cannot be made is an error that names its kernel; what is recorded later is bound at once', async () => {
  const recorder = new Recorder(device, new Pipelines(device))
  const { x, ...without } = bound
  const uniform = await device.memory.create('wrong', 'test', 64, GPUBufferUsage.UNIFORM)
  const together = (buffers: Buffers) => recorder.bindingTogether(() => norm(recorder, 0, buffers))
  await expect(together(without)).rejects.toThrow(/rms-norm: no buffer given for binding "x"/)
  await expect(together({ ...bound, x: uniform })).rejects.toThrow(/rms-norm/)
  expect((await norm(recorder, 0, bound)).bindGroup).toBeTruthy()
})

test('what is bound together is compiled by who asks for it, once, and does not run before', async () => {
  const pipelines = new Pipelines(device)
  const recorder = new Recorder(device, pipelines)
  const made = device.counters.pipelines
  const one = await recorder.bindingTogether(() => norm(recorder, 0, bound))
  expect(one.pipeline.gpu).toBeNull()
  const run = () => encode(device, [{ dispatches: [one], rows: 1 }])
  expect(run).toThrow('rms-norm is to run and was not compiled.')
  const { source } = one.pipeline
  expect(await Promise.all([pipelines.get(source), pipelines.get(source)])).toEqual([
    one.pipeline,
    one.pipeline,
  ])
  expect(device.counters.pipelines).toBe(made + 1)
  expect(run()).toBeTruthy()
})
