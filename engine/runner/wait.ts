/**
 * Waiting for the GPU. Dawn's Node binding polls the event loop at full speed while a map is pending, which takes a core
 * from a CPU adapter; so sleep until shortly before the step should end, and only then map.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Device, GpuError } from '../../kernels/index.ts'

/** Of the expected time, slept before polling. */
const ASLEEP = 0.85
/** Waits outside these bounds are polled: too short for a timer, or too long to trust the guess, ms. */
const SHORTEST = 2
const LONGEST = 500
/** A step that was done this soon after waking was overslept, ms. */
const AT_ONCE = 0.5

export class StepClock {
  /** Expected time of a step by kind, ms. */
  readonly #expected = new Map<string, number>()
  /** When the last step ended. */
  #free = 0

  /** Sleeps until shortly before a step of this kind, launched at `at`, should end. */
  async wait(kind: string, at: number): Promise<void> {
    const expected = this.#expected.get(kind)
    if (expected === undefined) return
    // A step starts when it is launched or when the one before it ended.
    const due = Math.max(at, this.#free) + expected * ASLEEP
    const rest = Math.min(due - performance.now(), LONGEST)
    if (rest >= SHORTEST) await sleep(rest)
  }

  /** Notes that a step ended now, after polling for `polled` ms. */
  done(kind: string, at: number, polled: number): void {
    const now = performance.now()
    const took = now - Math.max(at, this.#free)
    this.#free = now
    // What was overslept says nothing about the step but that it is shorter.
    this.#expected.set(kind, polled < AT_ONCE ? took * ASLEEP : took)
  }

  /** Forgets what steps took: the first ones compile. */
  reset(): void {
    this.#expected.clear()
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
  const woke = performance.now()
  try {
    await buffer.mapAsync(GPUMapMode.READ, 0, Math.ceil(bytes / 4) * 4)
  } catch (error) {
    // A failed device says more than the map that failed with it.
    device.check()
    const message = error instanceof Error ? error.message : String(error)
    throw new GpuError('lost', `A result could not be read back: ${message}`, { cause: error })
  }
  const data = buffer.getMappedRange(0, Math.ceil(bytes / 4) * 4).slice(0, bytes)
  buffer.unmap()
  device.check()
  clock.done(kind, at, performance.now() - woke)
  return data
}
