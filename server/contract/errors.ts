/**
 * The one table from what went wrong to what HTTP says about it, in both dialects. Rows for every `EngineError` code
 * and for the few things only a server can find. Statuses of 500 and up that describe our own fault answer with a
 * fixed text: the details (paths, driver messages) go to the log under the request id, not to the client.
 */
import { EngineError, type ErrorCode } from '../../engine/errors.ts'
import type { Dialect } from './dialect.ts'

/** What only the server can find out. */
type ServerCode =
  | 'missing_parameter'
  | 'unknown_parameter'
  | 'unsupported_parameter'
  | 'invalid_json'
  | 'payload_too_large'
  | 'malformed_request'
  | 'headers_too_large'
  | 'request_timeout'
  | 'reader_too_slow'
  | 'upgrade_required'
  | 'unauthenticated'
  | 'forbidden'
  | 'rate_limited'
  | 'quota_exceeded'
  | 'key_server_unavailable'
  | 'not_found'
  | 'conflict'
  | 'method_not_allowed'
  | 'host_not_allowed'
  | 'loading'
  | 'load_failed'
  | 'insufficient_memory'
  | 'draining'
  | 'internal'

export type ApiErrorCode = ErrorCode | ServerCode

interface Row {
  readonly status: Readonly<Record<Dialect, number>>
  readonly type: Readonly<Record<Dialect, string>>
  /** `error.code` as clients see it. */
  readonly code: string
  /** Replaces the message, where the true one may tell too much. */
  readonly fixed?: string
  /** Seconds for `Retry-After`. */
  readonly retryAfter?: number
  /** Said in `x-should-retry`, where clients would otherwise guess wrong. */
  readonly retry?: boolean
}

const both = <T>(value: T): Record<Dialect, T> => ({ contract: value, openai: value })

const invalid = (code: string, contract = 422): Row => ({
  status: { contract, openai: 400 },
  type: { contract: 'validation_error', openai: 'invalid_request_error' },
  code,
})

const refused = (status: number, contractType: string, code: string): Row => ({
  status: both(status),
  type: { contract: contractType, openai: 'invalid_request_error' },
  code,
})

const busy = (code: string, retryAfter: number): Row => ({
  status: both(503),
  type: both('model_error'),
  code,
  retryAfter,
})

const broken = (type: string, code: string, fixed: string): Row => ({
  status: both(500),
  type: both(type),
  code,
  fixed,
})

const ROWS = {
  bad_request: invalid('invalid_parameter'),
  missing_parameter: invalid('missing_parameter'),
  unknown_parameter: invalid('unknown_parameter'),
  unsupported_parameter: invalid('unsupported_parameter'),
  context_length: invalid('context_length_exceeded'),
  invalid_json: invalid('invalid_json', 400),
  payload_too_large: refused(413, 'validation_error', 'payload_too_large'),
  model_not_found: refused(404, 'model_error', 'model_not_found'),
  malformed_request: invalid('malformed_request', 400),
  headers_too_large: refused(431, 'validation_error', 'headers_too_large'),
  request_timeout: refused(408, 'timeout_error', 'request_timeout'),
  // Only ever the last frame of a stream.
  reader_too_slow: refused(408, 'timeout_error', 'reader_too_slow'),
  upgrade_required: refused(426, 'validation_error', 'upgrade_required'),
  not_found: refused(404, 'not_found_error', 'not_found'),
  conflict: refused(409, 'validation_error', 'conflict'),
  method_not_allowed: refused(405, 'not_found_error', 'method_not_allowed'),
  host_not_allowed: refused(403, 'permission_error', 'host_not_allowed'),
  unauthenticated: refused(401, 'authentication_error', 'invalid_api_key'),
  forbidden: refused(403, 'permission_error', 'insufficient_scope'),
  // Both say when to come back: whoever throws them measures it.
  rate_limited: {
    ...refused(429, 'rate_limit_error', 'rate_limit_exceeded'),
    type: both('rate_limit_error'),
  },
  quota_exceeded: {
    ...refused(429, 'quota_exceeded', 'quota_exceeded'),
    type: both('quota_exceeded'),
  },
  key_server_unavailable: {
    status: both(503),
    type: both('authentication_error'),
    code: 'key_server_unavailable',
    retryAfter: 5,
  },
  overloaded: busy('overloaded', 5),
  loading: busy('model_loading', 5),
  // Whether it ever fits is up to the operator.
  insufficient_memory: { ...busy('insufficient_memory', 60), retry: false },
  draining: busy('draining', 5),
  closed: busy('draining', 5),
  timeout: { status: both(504), type: both('timeout_error'), code: 'timeout', retry: false },
  // 499 is what proxies log for a client that went away; such an answer is written to nobody.
  aborted: { ...refused(499, 'model_error', 'cancelled'), fixed: 'The request was cancelled.' },
  model: broken('model_error', 'model_error', 'The model could not process this request.'),
  gpu: broken('model_error', 'gpu_error', 'The GPU failed while it processed this request.'),
  load_failed: broken(
    'model_error',
    'model_load_failed',
    'The model could not be loaded; the log has the details.',
  ),
  internal: broken('server_error', 'internal_error', 'The server failed to process this request.'),
} satisfies Record<ApiErrorCode, Row>

/** An error the server itself found: a code of the table, a message for a person, the parameter at fault. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: ApiErrorCode
  readonly param: string | null
  /** Beside those of the table, or instead of them. */
  readonly headers: Readonly<Record<string, string>>

  constructor(
    code: ApiErrorCode,
    message: string,
    param: string | null = null,
    headers: Readonly<Record<string, string>> = {},
    options: ErrorOptions = {},
  ) {
    super(message, options)
    this.code = code
    this.param = param
    this.headers = headers
  }
}

/** The body of every error answer, and of an error frame in a stream. */
export interface ErrorBody {
  error: { type: string; code: string; message: string; param: string | null; request_id: string }
}

export interface HttpError {
  status: number
  headers: Record<string, string>
  body: ErrorBody
  /** True when the cause must go to the log, because the client gets a fixed text. */
  ours: boolean
}

/**
 * Says a thrown value in HTTP.
 * @param thrown an `EngineError`, an `ApiError`, or anything else (which is then our fault: 500)
 * @param requestId echoed in the body, so that a report can be matched with the log
 */
export function toHttpError(thrown: unknown, dialect: Dialect, requestId: string): HttpError {
  const known = thrown instanceof EngineError || thrown instanceof ApiError
  const row: Row = ROWS[known ? thrown.code : 'internal']
  const status = row.status[dialect]
  const message = row.fixed ?? (known ? thrown.message : String(thrown))
  return {
    status,
    headers: {
      ...(row.retryAfter === undefined ? {} : { 'retry-after': String(row.retryAfter) }),
      ...(row.retry === undefined ? {} : { 'x-should-retry': String(row.retry) }),
      ...(thrown instanceof ApiError ? thrown.headers : {}),
    },
    body: {
      error: {
        type: row.type[dialect],
        code: row.code,
        message,
        param: known && thrown.param ? snakeCase(thrown.param) : null,
        request_id: requestId,
      },
    },
    ours: status >= 500 && row.fixed !== undefined,
  }
}

/** The engine names parameters as TypeScript does, the wire names them in snake case. */
function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
