/** What every route can reach: the server's state and settings, and what the middleware found out about a request. */

import type { Context } from 'hono'
import type { Caller } from '../auth/caller.ts'
import type { Batches } from '../batch/batches.ts'
import type { Dialect } from '../contract/dialect.ts'
import { ApiError } from '../contract/errors.ts'
import type { ServedEngine } from '../contract/served-engine.ts'
import type { Lifecycle } from '../lifecycle.ts'
import type { Gate } from '../limits/gate.ts'
import type { AdmissionQueue, Wanted } from '../limits/queue.ts'
import type { OnAnswered } from '../observe/answered.ts'
import type { Log } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { OnRequested } from '../observe/requested.ts'
import type { ServerState } from '../state.ts'

export interface Deps {
  lifecycle: Lifecycle
  version: string
  /** Longest silence in a stream. */
  keepAliveMs: number
  /** How long a stream waits for an early refusal (which can still have a status) before its first byte. */
  admissionMs: number
  /** Most milliseconds for a request. */
  timeoutMs: number | undefined
  /** Counts requests and tokens. */
  gate: Gate
  /** Bounds what waits for its first token. */
  queue: AdmissionQueue
  /** Keys, limits, the ledger; null: none are kept. */
  state: ServerState | null
  /** The batch queue; null: there is no database for it. */
  batches: Batches | null
  /** Hears of every answer, once. */
  onAnswered: OnAnswered
  /** Hears of every HTTP request, once. */
  onRequested: OnRequested
  /** What `/metrics` tells. */
  metrics: Metrics
  /** Tells the operator what failed here. */
  log: Log
}

export interface Env {
  Variables: {
    requestId: string
    /** When it came, on the clock of `performance.now()`. */
    arrivedAt: number
    dialect: Dialect
    caller: Caller
    /** Once the body is read. */
    wanted: Wanted
    /** Of an answer that has one. */
    responseId?: string
    /** Tells of an answer to this very request. */
    onAnswered: OnAnswered
    /** Of an error answer, as clients see it. */
    errorCode?: string
  }
}

export type RequestContext = Context<Env>

/** Refuses ids beyond the vocabulary. */
export function checkIds(engine: ServedEngine, ids: readonly number[], param: string): void {
  const size = engine.info.vocabularySize
  const wrong = ids.findIndex((id) => id >= size)
  if (wrong < 0) return
  throw new ApiError(
    'bad_request',
    `The parameter '${param}[${wrong}]' is ${ids[wrong]}, but this model has token ids 0 to ${size - 1}.`,
    `${param}[${wrong}]`,
  )
}
