/** A wait that all who ask share: one hears "later", nobody asks until then. */
import { setTimeout as sleep } from 'node:timers/promises'

/** Waits after which nobody was answered before it is given up. */
const PATIENCE = 10
const LONGEST_MS = 60_000

export interface PauseOptions {
  /** The shortest, doubled while nobody is answered. */
  readonly firstMs: number
  /** Hears of a wait that begins, and of its end (null). */
  readonly onWait: (milliseconds: number | null) => void
}

export class Pause {
  readonly #options: PauseOptions
  #until = 0
  /** Waits since somebody was answered. */
  #inVain = 0

  constructor(options: PauseOptions) {
    this.#options = options
  }

  /**
   * Somebody was told to come later.
   * @param waitMs what the server says, which is heeded; null where it does not
   * @throws what made it wait, when nobody was answered after the last ten waits
   */
  begin(waitMs: number | null, error: unknown): void {
    const now = Date.now()
    const isNew = this.#until <= now
    if (isNew && ++this.#inVain > PATIENCE) throw error
    // Those who were asked for at the same time heard the same.
    if (!isNew && waitMs === null) return
    const own = Math.min(LONGEST_MS, this.#options.firstMs * 2 ** (this.#inVain - 1))
    const until = now + Math.max(waitMs ?? 0, own)
    if (until <= this.#until) return
    this.#until = until
    this.#options.onWait(until - now)
  }

  /** Somebody was answered. */
  passed(): void {
    this.#inVain = 0
  }

  /** Resolves when nobody has to wait any more; a little apart, so that not all come back at once. */
  async over(signal: AbortSignal): Promise<void> {
    for (;;) {
      const left = this.#until - Date.now()
      if (left <= 0) return
      await sleep(left * (1 + Math.random() / 10), undefined, { signal })
      if (this.#until <= Date.now()) this.#options.onWait(null)
    }
  }
}
