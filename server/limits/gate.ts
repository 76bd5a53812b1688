/** What stands between a caller and the engine: how many requests and tokens there may be. */
import type { Caller } from '../auth/caller.ts'
import type { Dialect } from '../contract/dialect.ts'

/** Tokens set aside for an answer. */
export interface Reservation {
  /** Gives back what was not used; once, later calls change nothing. */
  settle(used: number): void
}

export interface Gate {
  /** Counts a request. Throws ApiError when there were too many. */
  enter(caller: Caller): void
  /** Sets tokens aside: prompt and the longest answer. Throws ApiError when they are more than is left. */
  reserve(caller: Caller, tokens: number): Reservation
  /** What the answer's headers say of the limits. */
  headers(caller: Caller, dialect: Dialect): Readonly<Record<string, string>>
  /** Resolves when what was counted so far outlives the process. */
  written(): Promise<void>
}

/** Lets everybody in. */
export const OPEN_GATE: Gate = {
  enter: () => undefined,
  reserve: () => ({ settle: () => undefined }),
  headers: () => ({}),
  written: async () => undefined,
}
