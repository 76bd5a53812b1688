/**
 * Takes entries out of the ledger when they have been kept for long enough: a few at a time, because the database holds
 * up everybody while it works. The sums of each model stand beside the ledger and stay as they are.
 */
import type { Database } from '../store/database.ts'

export interface RetentionOptions {
  /** Days that an entry is kept. */
  readonly days: number
  readonly log: (line: string) => void
  readonly now: () => number
}

const DAY_MS = 86_400_000
const EVERY_MS = 3_600_000
/** Entries taken out at once: some milliseconds. */
const AT_ONCE = 500
/** Milliseconds in between, for others. */
const PAUSE_MS = 20

export class LedgerRetention {
  readonly #database: Database
  readonly #options: RetentionOptions
  readonly #timer: NodeJS.Timeout
  #running: Promise<void> | null = null
  #stopped = false

  /** Begins at once, and looks again every hour. */
  constructor(database: Database, options: RetentionOptions) {
    this.#database = database
    this.#options = options
    this.#timer = setInterval(() => this.#look(), EVERY_MS).unref()
    this.#look()
  }

  /** Resolves when what is too old by now is gone. */
  async settled(): Promise<void> {
    await this.#running
  }

  /** Ends it, in the middle if need be: the next start goes on. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    await this.#running
  }

  #look(): void {
    this.#running ??= this.#takeOut()
      .catch((error) => this.#options.log(`old entries stay in the ledger: ${String(error)}`))
      .finally(() => {
        this.#running = null
      })
  }

  async #takeOut(): Promise<void> {
    const { days, now } = this.#options
    const sql =
      'DELETE FROM ledger WHERE id IN (SELECT id FROM ledger WHERE started_at < ? LIMIT ?)'
    while (!this.#stopped) {
      const { rowsAffected } = await this.#database.execute(sql, [now() - days * DAY_MS, AT_ONCE])
      if (rowsAffected < AT_ONCE) return
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS).unref())
    }
  }
}
