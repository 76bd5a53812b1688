/** The calls that a replay makes, on Dawn's null backend. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { kernels } from '../index.ts'
import { Device } from './device.ts'
import { Pipelines } from './pipeline.ts'
import { type Dispatch, replay, type Segment } from './plan.ts'
import { Recorder } from './recorder.ts'

let device: Device
let norm: Dispatch
let other: Dispatch

beforeAll(async () => {
  device = await Device.openNull()
  const recorder = new Recorder(device, new Pipelines(device))
  const buffer = (name: string) => device.memory.storage(name, 'test', 4096)
  const [x, weight, source, y] = await Promise.all(['x', 'weight', 'source', 'y'].map(buffer))
  const shape = { rows: 1, columns: 64, eps: 1e-5, add: 0 }
  const tuning = { WG: 64, SUBGROUP: 0 }
  const bound = { x: x!, weight: weight!, source: source!, y: y! }
  norm = await recorder.record(kernels.rmsNorm, shape, tuning, bound)
  other = await recorder.record(kernels.rmsNorm, { ...shape, add: 1 }, tuning, bound)
})
afterAll(() => device.close())

/** Names of the calls of a pass, dispatches with their arguments. */
function callsOf(segments: readonly Segment[]): string[] {
  const calls: string[] = []
  const begin = device.gpu.createCommandEncoder.bind(device.gpu)
  const spy = vi.spyOn(device.gpu, 'createCommandEncoder').mockImplementation((...args) => {
    const encoder = begin(...args)
    const pass = encoder.beginComputePass()
    vi.spyOn(encoder, 'beginComputePass').mockReturnValue(pass)
    for (const name of ['setPipeline', 'setBindGroup', 'dispatchWorkgroups'] as const) {
      const call = pass[name].bind(pass) as (...given: unknown[]) => undefined
      vi.spyOn(pass, name).mockImplementation((...given: unknown[]) => {
        calls.push(name === 'dispatchWorkgroups' ? `${name} ${given}` : name)
        return call(...given)
      })
    }
    return encoder
  })
  try {
    replay(device, segments)
  } finally {
    spy.mockRestore()
  }
  device.check()
  return calls
}

test('what stays as it was is not set again; pipelines of like bindings share a bind group', () => {
  expect(norm.bindGroup).toBe(other.bindGroup)
  expect(callsOf([{ dispatches: [norm, norm, other], rows: 3 }])).toEqual([
    'setPipeline',
    'setBindGroup',
    'dispatchWorkgroups 3',
    'dispatchWorkgroups 3',
    'setPipeline',
    'dispatchWorkgroups 3',
  ])
})

test('a list runs for the sizes of each step, not of the one before', () => {
  const seen: unknown[] = []
  const workgroups: Dispatch['workgroups'] = (rows, tiles, spans = 1) => {
    seen.push([rows, tiles, spans])
    return [rows, tiles, spans]
  }
  const dispatches = [{ ...norm, workgroups }]
  const of = (sizes: Omit<Segment, 'dispatches'>) => callsOf([{ dispatches, ...sizes }]).at(-1)
  expect(of({ rows: 1 })).toBe('dispatchWorkgroups 1')
  expect(of({ rows: 5, tiles: 2, spans: 3 })).toBe('dispatchWorkgroups 5,2,3')
  expect(of({ rows: 5, tiles: 2 })).toBe('dispatchWorkgroups 5,2,1')
  expect(of({ rows: 5, tiles: 2 })).toBe('dispatchWorkgroups 5,2,1')
  expect(of({ rows: 1 })).toBe('dispatchWorkgroups 1')
  expect(seen).toEqual([
    [1, 1, 1],
    [5, 2, 3],
    [5, 2, 1],
    [1, 1, 1],
  ])
})
