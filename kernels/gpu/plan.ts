/**
 * A plan: dispatches recorded once and replayed each step in one compute pass. A replay makes no object but the encoder
 * and its command buffer.
 */
import type { Kernel, Shape, Tuning } from '../kernel.ts'
import type { Device } from './device.ts'
import type { Pipeline } from './pipeline.ts'

/** What a dispatch was made of, for who looks at it later: a profile tells kernels by their shapes. */
export interface Origin {
  readonly kernel: Kernel
  /** As recorded: a step's sizes replace its `tiles`, `batch` or `rows`, and its `spans`. */
  readonly shape: Shape
  readonly tuning: Tuning
}

export interface Dispatch {
  readonly label: string
  readonly origin?: Origin
  readonly pipeline: Pipeline
  /** All that it binds. */
  readonly bindGroup: GPUBindGroup
  /** Workgroups for so many rows, in so many tiles of rows and spans of keys where the kernel works by them. */
  workgroups(rows: number, tiles: number, spans?: number): readonly [number, number, number]
}

export interface Copy {
  readonly from: GPUBuffer
  readonly fromOffset: number
  readonly to: GPUBuffer
  readonly toOffset: number
  readonly bytes: number
}

/** Dispatches with the number of rows, of tiles of rows, and of spans of keys apart, that they run for. */
export interface Segment {
  readonly dispatches: readonly Dispatch[]
  readonly rows: number
  readonly tiles?: number
  /** 1 where nobody says. */
  readonly spans?: number
}

/** Dispatches as the arguments of their calls: a token makes hundreds. */
interface Calls {
  readonly pipelines: readonly GPUComputePipeline[]
  readonly bindGroups: readonly GPUBindGroup[]
  /** Three each, for these sizes: most steps have those of the step before. */
  readonly workgroups: Uint32Array
  sizes: Required<Omit<Segment, 'dispatches'>>
}

/** What a dispatch sets. Throws where nobody compiled it. */
export function compiledOf({ pipeline: { gpu, name } }: Dispatch): GPUComputePipeline {
  if (gpu === null) throw new Error(`${name} is to run and was not compiled.`)
  return gpu
}

const knownCalls = new WeakMap<readonly Dispatch[], Calls>()

function callsOf({ dispatches, rows, tiles = rows, spans = 1 }: Segment): Calls {
  let calls = knownCalls.get(dispatches)
  if (!calls) {
    calls = {
      pipelines: dispatches.map(compiledOf),
      bindGroups: dispatches.map(({ bindGroup }) => bindGroup),
      workgroups: new Uint32Array(dispatches.length * 3),
      sizes: { rows: 0, tiles: 0, spans: 0 },
    }
    knownCalls.set(dispatches, calls)
  }
  const { sizes, workgroups } = calls
  if (sizes.rows !== rows || sizes.tiles !== tiles || sizes.spans !== spans) {
    for (const [i, dispatch] of dispatches.entries()) {
      workgroups.set(dispatch.workgroups(rows, tiles, spans), i * 3)
    }
    calls.sizes = { rows, tiles, spans }
  }
  return calls
}

/** The copies of `before`, `segments` in one compute pass, then the copies of `after`, ready to be submitted once. */
export function encode(
  device: Device,
  segments: readonly Segment[],
  after: readonly Copy[] = [],
  before: readonly Copy[] = [],
): GPUCommandBuffer {
  device.check()
  const { gpu, counters } = device
  const encoder = gpu.createCommandEncoder()
  const copy = (one: Copy): void =>
    encoder.copyBufferToBuffer(one.from, one.fromOffset, one.to, one.toOffset, one.bytes)
  before.forEach(copy)
  const pass = encoder.beginComputePass()
  for (const segment of segments) {
    const { pipelines, bindGroups, workgroups } = callsOf(segment)
    for (let i = 0; i < pipelines.length; i++) {
      if (i === 0 || pipelines[i] !== pipelines[i - 1]) pass.setPipeline(pipelines[i]!)
      if (i === 0 || bindGroups[i] !== bindGroups[i - 1]) pass.setBindGroup(0, bindGroups[i]!)
      const x = workgroups[i * 3]!
      const y = workgroups[i * 3 + 1]!
      const z = workgroups[i * 3 + 2]!
      // The binding converts every argument that it is given.
      if (y === 1 && z === 1) pass.dispatchWorkgroups(x)
      else pass.dispatchWorkgroups(x, y, z)
    }
    counters.dispatches += pipelines.length
  }
  pass.end()
  counters.passes++
  after.forEach(copy)
  return encoder.finish()
}

/** Errors surface through the device's failure. */
export function submit({ gpu, counters }: Device, commands: GPUCommandBuffer): void {
  gpu.queue.submit([commands])
  counters.submits++
}

/** Encodes and submits, as `encode` says. Errors surface through the device's failure. */
export function replay(
  device: Device,
  segments: readonly Segment[],
  after: readonly Copy[] = [],
  before: readonly Copy[] = [],
): void {
  submit(device, encode(device, segments, after, before))
  device.onReplay?.(segments)
}

/** Dispatches recorded once, to be replayed on their own. */
export class Plan {
  readonly #device: Device
  readonly dispatches: readonly Dispatch[]

  constructor(device: Device, dispatches: readonly Dispatch[]) {
    this.#device = device
    this.dispatches = dispatches
  }

  run(rows: number, copies: readonly Copy[] = []): void {
    replay(this.#device, [{ dispatches: this.dispatches, rows }], copies)
  }
}
