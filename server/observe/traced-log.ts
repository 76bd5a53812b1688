/**
 * The operator's log and, where OpenTelemetry's variables ask for them, traces of what it is told of: its lines then
 * carry the trace's id. Light, for it is there before the socket listens; the SDK is read afterwards, on `open`.
 */
import { type OnAnswered, SOCKET } from './answered.ts'
import type { OperatorLog } from './operator-log.ts'
import { type Env, tracesEndpoint } from './otel-settings.ts'
import type { OnRequested } from './requested.ts'
import type { Tracing } from './tracing.ts'

export interface TracedLog {
  readonly requested: OnRequested
  readonly answered: OnAnswered
  /** Reads the SDK: not before the socket listens. */
  open(): void
  /** Sends what is left, waiting a moment for it. */
  close(): Promise<void>
}

/** Makes a span, once the SDK is there. */
type Make = (tracing: Tracing) => string | null

/** @param flushMs longest wait of `close` */
export function tracedLog(log: OperatorLog, env: Env, flushMs?: number): TracedLog {
  const endpoint = tracesEndpoint(env)
  if (!endpoint) {
    const { requested, answered } = log
    return { requested, answered, open() {}, close: async () => {} }
  }
  let tracing: Tracing | null = null
  /** What was told before the SDK was there; null: it has been read. */
  let early: Make[] | null = []
  let opening: Promise<void> | null = null
  const traceId = (make: Make): string | null => {
    early?.push(make)
    return tracing && make(tracing)
  }
  const open = async () => {
    try {
      const { openTracing } = await import('./tracing.ts')
      tracing = await openTracing({ env, endpoint, tell: log.event, flushMs })
      if (tracing) for (const make of early ?? []) make(tracing)
    } catch (error) {
      log.event('error', 'no traces are sent: OpenTelemetry could not be started', { error })
    }
    early = null
  }
  return {
    requested(requested) {
      const endedAt = Date.now()
      log.requested(
        requested,
        traceId((made) => made.requested(requested, endedAt)),
      )
    },
    answered(answered) {
      // All others are told of with their request.
      if (answered.endpoint !== SOCKET) return
      const endedAt = Date.now()
      log.answered(
        answered,
        traceId((made) => made.answered(answered, endedAt)),
      )
    },
    open() {
      opening ??= open()
    },
    async close() {
      await opening
      await tracing?.close()
    },
  }
}
