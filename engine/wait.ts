/**
 * Waiting for the GPU. Dawn's Node binding polls the event loop at full speed while a map is pending, which takes a core
 * from a CPU adapter; so sleep until shortly before the step should end, and only then map.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Device } from '../kernels/gpu/device.ts'

/** Of the expected time, slept before polling. */
const ASLEEP = 0.85
/** Shorter waits are not worth a timer, ms. */
const SHORTEST = 2
const SMOOTHING = 0.3

export class StepClock {
  readonly #expected = new Map<string, number>()
  #free = 0

  /** Sleeps until shortly before a step of this kind, launched at `at`, should end. */
  async wait(kind: string, at: number): Promise<void> {
    const expected = this.#expected.get(kind)
    if (expected === undefined) return
    // A step starts when it is launched or when the one before it ended.
    const due = Math.max(at, this.#free) + expected * ASLEEP
    const rest = due - performance.now()
    if (rest >= SHORTEST) await sleep(rest)
  }

  /** Notes that a step ended now. */
  done(kind: string, at: number): void {
    const now = performance.now()
    const took = now - Math.max(at, this.#free)
    this.#free = now
    const before = this.#expected.get(kind)
    // The shortest is nearest the truth: sleeping too long only ever lengthens what is measured.
    const next =
      before === undefined ? took : Math.min(took, before * (1 - SMOOTHING) + took * SMOOTHING)
    this.#expected.set(kind, next)
  }
}

/** Maps `buffer` when the step launched at `at` is done, and copies `bytes` out of it. Throws GpuError. */
export async function mapWhenDone(
  device: Device,
  buffer: GPUBuffer,
  bytes: number,
  clock: StepClock,
  kind: string,
  at: number,
): Promise<ArrayBuffer> {
  await clock.wait(kind, at)
  device.check()
  try {
    await buffer.mapAsync(GPUMapMode.READ, 0, Math.ceil(bytes / 4) * 4)
  } catch (error) {
    // A failed device says more than the map that failed with it.
    device.check()
    throw error
  }
  const data = buffer.getMappedRange(0, Math.ceil(bytes / 4) * 4).slice(0, bytes)
  buffer.unmap()
  device.check()
  clock.done(kind, at)
  return data
}
