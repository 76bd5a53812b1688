/** A probe: dispatches of known work in several shapes, of which the fastest tells what the adapter can do. */
import type { Dispatch } from '../../kernels/gpu/plan.ts'
import { type Expectation, noExpectation, type Stopwatch } from '../stopwatch.ts'

/** One shape of a probe, checked by who made it. */
export interface ProbeShape {
  readonly dispatch: Dispatch
  /** Bytes or operations. */
  readonly work: number
}

interface Turn extends ProbeShape {
  /** Dispatches in a submit; 0: not found out yet. */
  count: number
  readonly expected: Expectation
}

export class Probe {
  readonly #stopwatch: Pick<Stopwatch, 'time'>
  readonly #shapes: readonly Turn[]
  readonly #atLeast: number
  readonly #free: () => void
  #fastest = 0

  /**
   * @param atLeast milliseconds that a timed submit should hold, as those of what is held against the probe
   * @param free what the dispatches read and write
   */
  constructor(
    stopwatch: Pick<Stopwatch, 'time'>,
    shapes: readonly ProbeShape[],
    atLeast: number,
    free: () => void,
  ) {
    this.#stopwatch = stopwatch
    this.#shapes = shapes.map((one) => ({ ...one, count: 0, expected: noExpectation() }))
    this.#atLeast = atLeast
    this.#free = free
  }

  /** The best rate over all shapes and repeats, in 10⁹ a second. Throws GpuError. */
  async best(repeats: number): Promise<number> {
    let best = 0
    for (const i of this.#shapes.keys()) {
      for (let turn = 0; turn < repeats; turn++) {
        const rate = await this.#rate(i)
        if (rate > best) [best, this.#fastest] = [rate, i]
      }
    }
    return best
  }

  /** The rate at this moment, of the shape that was the fastest. Throws GpuError. */
  now(): Promise<number> {
    return this.#rate(this.#fastest)
  }

  close(): void {
    this.#free()
  }

  async #rate(i: number): Promise<number> {
    const turn = this.#shapes[i]!
    const { dispatch, work, expected } = turn
    if (turn.count === 0) {
      const once = await this.#stopwatch.time([dispatch], noExpectation())
      turn.count = Math.ceil(this.#atLeast / once)
    }
    const submit = Array.from({ length: turn.count }, () => dispatch)
    return (work * turn.count) / (await this.#stopwatch.time(submit, expected)) / 1e6
  }
}
