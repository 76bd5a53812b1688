/**
 * The operator's log: one line an event, as JSON for machines or short for people. It is told paths as the routes spell
 * them, ids, counts and codes; never a header, a query, a body or an answer, so that no key and no prompt can get in.
 */
import { type Level, pino, stdTimeFunctions } from 'pino'
import { type Answered, SOCKET } from './answered.ts'
import { humanLine } from './human-line.ts'
import type { Log } from './log.ts'
import type { Requested } from './requested.ts'

export type LogLevel = Level | 'silent'

export interface OperatorLogOptions {
  format: 'json' | 'text'
  level: LogLevel
  write: (text: string) => void
}

export interface OperatorLog {
  /** Something of the server's life: it listens, it closes. `error` among the facts is told with its stack. */
  event(level: Level, message: string, facts?: Readonly<Record<string, unknown>>): void
  readonly log: Log
  /** @param traceId where it is traced */
  requested(requested: Requested, traceId?: string | null): void
  /** Tells of answers over sockets; all others are told of with their request. */
  answered(answered: Answered, traceId?: string | null): void
}

export function createOperatorLog({ format, level, write }: OperatorLogOptions): OperatorLog {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: errorFacts },
    },
    { write: format === 'json' ? write : (line: string) => write(humanLine(line)) },
  )
  return {
    event: (at, message, facts = {}) => logger[at](facts, message),
    log(line, pieces) {
      if (!pieces) logger.warn(line)
      else logger.error({ request_id: pieces.requestId, error: pieces.error }, pieces.message)
    },
    requested(requested, traceId) {
      const { method, endpoint, status } = requested
      const nowhere = method === '-' ? '(no request)' : '(no path of ours)'
      const message = `${method} ${endpoint ?? nowhere} ${status}`
      logger[levelOf(requested)](requestFacts(requested, traceId), message)
    },
    answered(answered, traceId) {
      const { requestId, caller, code, endpoint, outcome, total } = answered
      if (endpoint !== SOCKET) return
      const head = { ...ids(requestId, traceId), ms: rounded(total), caller: caller.id }
      const facts = { ...head, ...(code === null ? {} : { code }), ...answerFacts(answered) }
      logger.info(facts, `${endpoint} ${outcome}`)
    },
  }
}

/** What machines ask every few seconds. */
const PROBES = /^\/(health(\/\w+)?|metrics|playground\/.*)$/

function levelOf({ endpoint, status }: Requested): Level {
  if (endpoint !== null && PROBES.test(endpoint)) return 'debug'
  return status >= 500 ? 'warn' : 'info'
}

function requestFacts(
  requested: Requested,
  traceId: string | null | undefined,
): Record<string, unknown> {
  const { requestId, method, endpoint, status, total, caller, code, answered } = requested
  return {
    ...ids(requestId, traceId),
    method,
    endpoint,
    status,
    ms: rounded(total),
    ...(caller === null ? {} : { caller }),
    ...(code === null ? {} : { code }),
    ...(answered === null ? {} : answerFacts(answered)),
  }
}

const ids = (requestId: string, traceId: string | null | undefined): Record<string, string> =>
  traceId ? { request_id: requestId, trace_id: traceId } : { request_id: requestId }

function answerFacts(answered: Answered): Record<string, unknown> {
  return {
    model: answered.model,
    outcome: answered.outcome,
    first_token_ms: answered.firstToken === null ? null : rounded(answered.firstToken),
    prompt_tokens: answered.promptTokens,
    cached_tokens: answered.cachedTokens,
    completion_tokens: answered.completionTokens,
  }
}

const rounded = (milliseconds: number): number => Math.round(milliseconds * 10) / 10

/** With the causes, each with its stack. */
function errorFacts(error: unknown): unknown {
  if (!(error instanceof Error)) return { message: String(error) }
  const { name, message, stack, cause } = error
  return { name, message, stack, ...(cause === undefined ? {} : { cause: errorFacts(cause) }) }
}
