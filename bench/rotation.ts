/**
 * Copies of a prepared kernel over buffers of their own, taken in turn, so that what a model reads once a token (weights, the
 * KV cache) comes from memory and never from a cache that the last dispatch warmed.
 */

import type { Pipelines } from '../kernels/gpu/pipeline.ts'
import type { Dispatch } from '../kernels/gpu/plan.ts'
import type { Device } from '../kernels/index.ts'
import type { Prepared } from '../kernels/oracle.ts'

/** More would cost time to make and say nothing new. */
const MOST_COPIES = 256

export interface Rotation {
  /** The original first. */
  readonly copies: readonly Prepared[]
  /** The next `count` dispatches: the turn goes on where it stopped. */
  next(count: number): Dispatch[]
  /** Frees the copies; the original stays its owner's. */
  release(): void
}

/**
 * Makes copies until all together hold `bytes`. What is written in groups 1 (weights) and 2 (KV cache) rotates, and group 0
 * (activations, hot in a model too) is shared; a kernel of group 0 alone rotates that. Throws GpuError.
 */
export async function rotate(
  device: Device,
  pipelines: Pipelines,
  original: Prepared,
  bytes: number,
): Promise<Rotation> {
  const { source } = original.dispatch.pipeline
  const hasCold = source.bindings.some(({ group }) => group > 0)
  const cold = source.bindings.filter(({ group }) => (hasCold ? group > 0 : true))
  const size = cold.reduce((sum, { name }) => sum + (original.buffers[name]?.size ?? 0), 0)
  const count = Math.max(1, Math.min(MOST_COPIES, Math.ceil(bytes / Math.max(1, size))))
  const copies = [original]
  try {
    while (copies.length < count) {
      copies.push(
        await duplicate(device, pipelines, original, new Set(cold.map((one) => one.name))),
      )
    }
  } catch (error) {
    releaseAll(copies)
    throw error
  }
  let turn = 0
  return {
    copies,
    next: (many) =>
      Array.from({ length: many }, () => (copies[turn++ % count] as Prepared).dispatch),
    release: () => releaseAll(copies),
  }
}

/** All but the first: that one has an owner. */
function releaseAll(copies: readonly Prepared[]): void {
  for (const copy of copies.slice(1)) copy.release()
}

async function duplicate(
  device: Device,
  pipelines: Pipelines,
  original: Prepared,
  names: ReadonlySet<string>,
): Promise<Prepared> {
  const { dispatch } = original
  const { source } = dispatch.pipeline
  const own: GPUBuffer[] = []
  const release = (): void => {
    for (const buffer of own) device.memory.free(buffer)
  }
  try {
    const buffers: Record<string, GPUBuffer> = { ...original.buffers }
    const encoder = device.gpu.createCommandEncoder()
    for (const name of names) {
      const from = original.buffers[name] as GPUBuffer
      const to = await device.memory.storage(`bench ${name}`, 'test', from.size)
      own.push(to)
      buffers[name] = to
      encoder.copyBufferToBuffer(from, 0, to, 0, from.size)
    }
    device.gpu.queue.submit([encoder.finish()])
    const bindGroup = await pipelines.bind(source, buffers)
    return { ...original, buffers, dispatch: { ...dispatch, bindGroup }, release }
  } catch (error) {
    release()
    throw error
  }
}
