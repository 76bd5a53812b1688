/**
 * Times dispatches on the host: one submit, one map at its end. Dawn's `mapAsync` polls a whole core, which a CPU adapter
 * needs for itself, so it sleeps until shortly before the end that earlier runs let it expect, and only then maps; runs
 * that are long enough for a look every millisecond are looked after like that.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Copy, type Dispatch, encode, type Segment, submit } from '../kernels/gpu/plan.ts'
import { type Device, GpuError, mapSparing } from '../kernels/index.ts'

/** Of the shortest time seen, slept before polling: less than any run takes, so that sleep never adds to a time. */
const ASLEEP = 0.7
const SHORTEST_SLEEP = 2
/** From so many milliseconds on, one more does not show. */
const LONG = 50

/** What the host spends on a step that finds the adapter idle, milliseconds. */
export interface HostTimes {
  /** From the making of the encoder until it is finished, in caches that the step before has filled. */
  readonly encode: number
  /** The same once more at once: what is left in warm caches. */
  readonly again: number
  readonly submit: number
}

/** Times from equal work: `shortest` carries over from repeat to repeat. */
export interface Expectation {
  /** Milliseconds of the fastest run so far. */
  shortest: number
}

export const noExpectation = (): Expectation => ({ shortest: 0 })

/** Sleeps for most of the time that work begun at `start` should still take. */
export async function sleepUntilNear(start: number, { shortest }: Expectation): Promise<void> {
  const rest = shortest * ASLEEP - (performance.now() - start)
  if (rest >= SHORTEST_SLEEP) await sleep(rest)
}

/** Lets the next time of like work expect what this took. */
export function note(expected: Expectation, took: number): void {
  expected.shortest = expected.shortest === 0 ? took : Math.min(took, expected.shortest)
}

export class Stopwatch {
  readonly #device: Device
  readonly #mark: GPUBuffer
  readonly #staging: GPUBuffer

  private constructor(device: Device, mark: GPUBuffer, staging: GPUBuffer) {
    this.#device = device
    this.#mark = mark
    this.#staging = staging
  }

  static async open(device: Device): Promise<Stopwatch> {
    const mark = await device.memory.storage('bench mark', 'test', 16)
    return new Stopwatch(device, mark, await device.memory.readback('bench end', 16))
  }

  /** Milliseconds from submit until the host sees the end of all `dispatches`, each over one row. Throws GpuError. */
  time(dispatches: readonly Dispatch[], expected: Expectation): Promise<number> {
    return this.timeSegments([{ dispatches, rows: 1 }], expected)
  }

  /** The same of dispatches over the rows of a step. */
  async timeSegments(segments: readonly Segment[], expected: Expectation): Promise<number> {
    const start = performance.now()
    submit(this.#device, this.#encode(segments))
    return this.#end(start, expected)
  }

  /** Throws GpuError. */
  async timeHost(segments: readonly Segment[], expected: Expectation): Promise<HostTimes> {
    const start = performance.now()
    const commands = this.#encode(segments)
    const encoded = performance.now()
    this.#encode(segments)
    const again = performance.now()
    submit(this.#device, commands)
    const submitted = performance.now()
    await this.#end(again, expected)
    return { encode: encoded - start, again: again - encoded, submit: submitted - again }
  }

  #encode(segments: readonly Segment[]): GPUCommandBuffer {
    const [from, to] = [this.#mark, this.#staging]
    const copy: Copy = { from, fromOffset: 0, to, toOffset: 0, bytes: 16 }
    return encode(this.#device, segments, [copy])
  }

  /** Waits for what was submitted; milliseconds since `start`. */
  async #end(start: number, expected: Expectation): Promise<number> {
    await sleepUntilNear(start, expected)
    try {
      if (expected.shortest < LONG) await this.#staging.mapAsync(GPUMapMode.READ)
      else await mapSparing(this.#staging, 16, start)
    } catch (error) {
      this.#device.check()
      throw new GpuError('validation', `bench: the end could not be mapped: ${String(error)}`, {
        cause: error,
      })
    }
    const took = performance.now() - start
    this.#staging.unmap()
    this.#device.check()
    note(expected, took)
    return took
  }

  close(): void {
    this.#device.memory.free(this.#mark)
    this.#device.memory.free(this.#staging)
  }
}
