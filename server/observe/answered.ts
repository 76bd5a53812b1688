/** What became of a request for an answer: told once for each, to the ledger, the metrics and the log. */
import type { FinishReason } from '../../engine/api.ts'
import type { Caller } from '../auth/caller.ts'

export interface Answered {
  readonly requestId: string
  readonly caller: Caller
  /** Path as the routes spell it. */
  readonly endpoint: string
  /** What the model was asked for, in OpenTelemetry's words. */
  readonly operation: 'chat' | 'text_completion'
  readonly model: string
  /** Of an answer that has one, as its client sees it. */
  readonly responseId?: string | undefined
  /** W3C trace context of whom it is for, where no HTTP request has it: of a WebSocket's upgrade. */
  readonly traceparent?: string | undefined
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
  /** By choice, of those that came to their end. */
  readonly finishReasons?: readonly FinishReason[]
  readonly outcome: 'completed' | 'cancelled' | 'failed'
  /** Of the error, as clients see it. */
  readonly code: string | null
}

/** The endpoint of answers over sockets, which no HTTP request tells of. */
export const SOCKET = '/ws'

export type OnAnswered = (answered: Answered) => void
