/** What became of a request for an answer: told once for each, to the ledger, the metrics and the log. */
import type { Caller } from '../auth/caller.ts'

export interface Answered {
  readonly requestId: string
  readonly caller: Caller
  /** Path as the routes spell it. */
  readonly endpoint: string
  readonly model: string
  /** Epoch milliseconds. */
  readonly startedAt: number
  /** Milliseconds from admission. */
  readonly total: number
  /** Null: there was none. */
  readonly firstToken: number | null
  readonly promptTokens: number
  readonly cachedTokens: number
  /** Tokens handed to the response. */
  readonly completionTokens: number
  readonly outcome: 'completed' | 'cancelled' | 'failed'
  /** Of the error, as clients see it. */
  readonly code: string | null
}

export type OnAnswered = (answered: Answered) => void
