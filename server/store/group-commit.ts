/**
 * Writes that come one at a time and go to the database together: everything within a short while is one transaction.
 * A write that fails is kept and tried again; what is under way still has its effect in memory.
 */
import type { Database, Statement } from './database.ts'

export interface GroupCommitOptions<T> {
  /** The statements that write these, all in one transaction. */
  readonly toStatements: (items: readonly T[]) => Statement[]
  /** Milliseconds to gather for; 0: until the end of this turn of the event loop. */
  readonly delayMs: number
  /** What is written, for the log. */
  readonly what: string
  readonly log: (line: string) => void
}

const RETRY_MS = 1000
/** A database that cannot be written for long must not fill the memory. */
const MOST_KEPT = 100_000

export class GroupCommit<T> {
  readonly #database: Database
  readonly #options: GroupCommitOptions<T>
  #waiting: T[] = []
  #writing: Promise<void> | null = null
  #timer: NodeJS.Timeout | NodeJS.Immediate | null = null
  #failing = false

  constructor(database: Database, options: GroupCommitOptions<T>) {
    this.#database = database
    this.#options = options
  }

  add(item: T): void {
    if (this.#waiting.length >= MOST_KEPT) {
      this.#waiting.shift()
      this.#options.log(
        `${this.#options.what}: more than ${MOST_KEPT} unwritten, the oldest is lost`,
      )
    }
    this.#waiting.push(item)
    if (this.#timer === null && this.#writing === null) this.#schedule(this.#options.delayMs)
  }

  /** Everything added so far is written, or (when that failed, which the log says) has been tried. Never rejects. */
  async written(): Promise<void> {
    // The first is what was under way when this was called, the second what had come since.
    for (let round = 0; round < 2 && (this.#writing || this.#waiting.length > 0); round++) {
      await (this.#writing ?? this.#write())
    }
  }

  #schedule(delay: number): void {
    const write = () => {
      this.#timer = null
      void this.#write()
    }
    this.#timer = delay === 0 ? setImmediate(write) : setTimeout(write, delay).unref()
  }

  #cancelTimer(): void {
    if (this.#timer !== null && 'refresh' in this.#timer) clearTimeout(this.#timer)
    else if (this.#timer !== null) clearImmediate(this.#timer)
    this.#timer = null
  }

  #write(): Promise<void> {
    this.#cancelTimer()
    const items = this.#waiting
    this.#waiting = []
    this.#writing = this.#attempt(items).then((wrote) => {
      this.#writing = null
      if (!wrote) this.#waiting = [...items, ...this.#waiting]
      if (this.#waiting.length > 0) this.#schedule(wrote ? this.#options.delayMs : RETRY_MS)
    })
    return this.#writing
  }

  async #attempt(items: readonly T[]): Promise<boolean> {
    const { what, toStatements, log } = this.#options
    try {
      if (items.length > 0) await this.#database.batch(toStatements(items))
      if (this.#failing) log(`${what}: written again`)
      this.#failing = false
      return true
    } catch (error) {
      if (!this.#failing) log(`${what} cannot be written, trying again: ${String(error)}`)
      this.#failing = true
      return false
    }
  }
}
