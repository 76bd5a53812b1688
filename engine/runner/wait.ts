/**
 * Waiting for the GPU. Dawn's Node binding polls the event loop at full speed while a map is pending, which takes a core
 * from a CPU adapter; so sleep until shortly before a step should end, and only then map. A step that takes longer than
 * expected is looked after now and then, not all the time.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Device, GpuError } from '../../kernels/index.ts'

/** Of the expected time, slept before polling. */
const ASLEEP = 0.88
/** Waits outside these bounds are polled: too short for a timer, or too long to trust the guess, ms. */
const SHORTEST = 2
const LONGEST = 500
/** A step that was done this soon after waking was overslept, ms. */
const AT_ONCE = 0.5
/** Of the expected time, polled at a stretch and slept in between, once a step is late. */
const LOOK = 0.03
const PAUSE = 0.05
/** The same for waits that nobody can guess, ms. */
const LONG_LOOK = 2
const LONG_PAUSE = 15
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

/** Maps `buffer` and copies `bytes` out of it; `expected` ms is what the work before it takes. Throws GpuError. */
export async function readMapped(
  device: Device,
  buffer: GPUBuffer,
  bytes: number,
  expected: number,
): Promise<ArrayBuffer> {
  const size = Math.ceil(bytes / 4) * 4
  await mapped(device, buffer, size, Math.max(1, expected * LOOK), expected * PAUSE)
  const data = buffer.getMappedRange(0, size).slice(0, bytes)
  buffer.unmap()
  device.check()
  return data
}

/** Waits for what was submitted before, which writes to `mark`, for seconds perhaps: looks now and then. Throws GpuError. */
export async function passed(device: Device, mark: GPUBuffer): Promise<void> {
  await mapped(device, mark, 4, LONG_LOOK, LONG_PAUSE)
  mark.unmap()
  device.check()
}

async function mapped(
  device: Device,
  buffer: GPUBuffer,
  size: number,
  look: number,
  pause: number,
): Promise<void> {
  try {
    await mapWithPauses(buffer, size, look, pause)
  } catch (error) {
    // A failed device says more than the map that failed with it.
    device.check()
    const message = error instanceof Error ? error.message : String(error)
    throw new GpuError('lost', `A result could not be read back: ${message}`, { cause: error })
  }
}

/** A pending map can be taken back; nothing else stops the polling. */
async function mapWithPauses(
  buffer: GPUBuffer,
  size: number,
  look: number,
  pause: number,
): Promise<void> {
  for (;;) {
    const mapped = buffer.mapAsync(GPUMapMode.READ, 0, size)
    if (pause < 1) return mapped
    const timer = new AbortController()
    const late = sleep(look, true, { signal: timer.signal }).catch(() => false)
    const isLate = await Promise.race([mapped.then(() => false), late]).finally(() => timer.abort())
    if (!isLate) return
    const given = mapped.then(
      () => true,
      () => false,
    )
    buffer.unmap()
    // It may have come through in the same turn; then it was unmapped just now, and is mapped anew at once.
    if (!(await given)) await sleep(pause)
  }
}
