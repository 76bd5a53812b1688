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
  /** Bind groups by index; the same object in a row is not set again. */
  readonly groups: readonly GPUBindGroup[]
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

/**
 * Encodes the copies of `before`, `segments` in one compute pass, then the copies of `after`, and submits once. Errors
 * surface through the device's failure.
 */
export function replay(
  device: Device,
  segments: readonly Segment[],
  after: readonly Copy[] = [],
  before: readonly Copy[] = [],
): void {
  device.check()
  const { gpu, counters } = device
  const encoder = gpu.createCommandEncoder()
  const copy = (one: Copy): void =>
    encoder.copyBufferToBuffer(one.from, one.fromOffset, one.to, one.toOffset, one.bytes)
  before.forEach(copy)
  const pass = encoder.beginComputePass()
  let pipeline: GPUComputePipeline | null = null
  const bound: (GPUBindGroup | undefined)[] = []
  for (const { dispatches, rows, tiles = rows, spans = 1 } of segments) {
    for (const dispatch of dispatches) {
      if (dispatch.pipeline.gpu !== pipeline) {
        pipeline = dispatch.pipeline.gpu
        pass.setPipeline(pipeline)
      }
      const { groups } = dispatch
      for (let index = 0; index < groups.length; index++) {
        const group = groups[index] as GPUBindGroup
        if (bound[index] === group) continue
        bound[index] = group
        pass.setBindGroup(index, group)
      }
      const [x, y, z] = dispatch.workgroups(rows, tiles, spans)
      pass.dispatchWorkgroups(x, y, z)
    }
    counters.dispatches += dispatches.length
  }
  pass.end()
  after.forEach(copy)
  gpu.queue.submit([encoder.finish()])
  counters.passes++
  counters.submits++
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
