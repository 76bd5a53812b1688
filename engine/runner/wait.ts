/**
 * Waiting for the GPU. Dawn's Node binding polls the event loop at full speed while a map is pending, which takes a core
 * from a CPU adapter; so sleep until shortly before a step should end, and from then on look whether it has every so often.
 * The next step is under way by then, so that seeing the end of this one a little late costs nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Device, GpuError, mapSparing } from '../../kernels/index.ts'

/** Of the expected time, slept before the first look. */
const ASLEEP = 0.88
/** A shorter sleep is not worth a timer; longer than this a guess is not trusted at a stretch, ms. */
const SHORTEST = 2
const LONGEST = 500
/** A step that was done this soon after waking was overslept, ms. */
const AT_ONCE = 0.5
/** Steps expected to take less are polled without a pause: a timer is too coarse for them, ms. */
const SHORT = 4
/** How fast an estimate follows. */
const WEIGHT = 0.3

export class StepClock {
  /** Expected time of a step by kind, ms. */
  readonly #expected = new Map<string, number>()
  /** When the last step ended. */
  #free = 0

  /** Expected milliseconds of a step of this kind; undefined before the first. */
  expected(kind: string): number | undefined {
    return this.#expected.get(kind)
  }

  /** Sleeps until shortly before the last of `steps` alike, the first launched at `at`, should end. */
  async wait(kind: string, at: number, steps = 1): Promise<void> {
    const expected = this.#expected.get(kind)
    if (expected === undefined) return
    // A step starts when it is launched or when the one before it ended.
    const due = Math.max(at, this.#free) + expected * (steps - 1 + ASLEEP)
    const rest = Math.min(due - performance.now(), LONGEST)
    if (rest >= SHORTEST) await sleep(rest)
  }

  /** Notes that the last of `steps` alike ended now, after polling for `polled` ms; what one of them took. */
  done(kind: string, at: number, polled: number, steps = 1): number {
    const now = performance.now()
    const took = (now - Math.max(at, this.#free)) / steps
    this.#free = now
    // What was overslept says nothing about the step but that it is shorter.
    const seen = polled < AT_ONCE ? took * ASLEEP : took
    const before = this.#expected.get(kind) ?? seen
    this.#expected.set(kind, Math.min(before + (seen - before) * WEIGHT, seen / ASLEEP))
    return took
  }
}

/**
 * Maps `buffer` and copies `bytes` out of it, once the work that writes it is done. Throws GpuError.
 * @param at when that work was launched
 * @param expected milliseconds that it takes; undefined where nobody knows
 */
export async function readMapped(
  device: Device,
  buffer: GPUBuffer,
  bytes: number,
  at: number,
  expected: number | undefined,
): Promise<ArrayBuffer> {
  const size = Math.ceil(bytes / 4) * 4
  await mapped(device, buffer, size, at, expected)
  const data = buffer.getMappedRange(0, size).slice(0, bytes)
  buffer.unmap()
  device.check()
  return data
}

/** Waits for what was submitted before, which writes to `mark`, for seconds perhaps. Throws GpuError. */
export async function passed(device: Device, mark: GPUBuffer): Promise<void> {
  await mapped(device, mark, 4, performance.now(), undefined)
  mark.unmap()
  device.check()
}

async function mapped(
  device: Device,
  buffer: GPUBuffer,
  size: number,
  at: number,
  expected: number | undefined,
): Promise<void> {
  try {
    if (expected !== undefined && expected < SHORT) await buffer.mapAsync(GPUMapMode.READ, 0, size)
    else await mapSparing(buffer, size, at)
  } catch (error) {
    // A failed device says more than the map that failed with it.
    device.check()
    const message = error instanceof Error ? error.message : String(error)
    throw new GpuError('lost', `A result could not be read back: ${message}`, { cause: error })
  }
}
