/**
 * Whether the engine advances. A GPU that hangs answers nothing and throws nothing; what shows it is that no step is
 * launched while there is work. It is looked at again and again, because steps tell how many there were, not when.
 */
import type { EngineStats } from '../../engine/api.ts'

/** Milliseconds with work and without a step after which something is wrong, by adapter. */
const PATIENCE: Readonly<Record<EngineStats['adapter']['kind'], number>> = {
  gpu: 10_000,
  // A chunk of a prompt on the processor takes seconds with a small model and most of a minute with a large one.
  software: 60_000,
}

export class EngineWatch {
  readonly #now: () => number
  #steps = -1
  #worked = false
  #since = 0
  #stalled: number | null = null

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /**
   * Milliseconds that the engine has stood still for too long with work to do, as of the last look; null: all is well.
   */
  get stalled(): number | null {
    return this.#stalled
  }

  look({ adapter, running, queued, steps }: EngineStats): void {
    const now = this.#now()
    const works = running + queued > 0
    // Work that was not there at the last look cannot have waited since.
    if (!works || !this.#worked || steps !== this.#steps) this.#since = now
    this.#worked = works
    this.#steps = steps
    const still = now - this.#since
    this.#stalled = still >= PATIENCE[adapter.kind] ? still : null
  }
}
