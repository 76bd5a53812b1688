/** What to do about a prompt that got no answer. */
import { EngineError } from '../../engine/errors.ts'
import { ServerError } from '../backend/server-error.ts'

export type Trouble =
  /** Nobody is answered now: everything waits, as long as the server says if it does. */
  | { readonly kind: 'busy'; readonly waitMs: number | null }
  /** The connection, or something between: this prompt is asked again, a few times. */
  | { readonly kind: 'flaky' }
  /** It is the prompt, or what is asked of it: that is its result. */
  | { readonly kind: 'failed'; readonly code: string | null }
  /** No prompt will be answered any more. */
  | { readonly kind: 'over' }

const OF_ENGINE: Readonly<Partial<Record<EngineError['code'], Trouble>>> = {
  overloaded: { kind: 'busy', waitMs: null },
  closed: { kind: 'over' },
  gpu: { kind: 'over' },
}

/** In the middle of a stream there is no status any more. */
const BUSY_CODES = new Set(['overloaded', 'model_loading', 'draining'])
/** The server is not there, now. */
const AWAY_CODES = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
])
/** The key, its rights, the model, the address: alike for every prompt. */
const OVER = new Set([401, 403, 404, 405])

export function troubleOf(error: unknown): Trouble {
  if (error instanceof EngineError) {
    return OF_ENGINE[error.code] ?? { kind: 'failed', code: error.code }
  }
  return error instanceof ServerError ? ofServer(error) : { kind: 'over' }
}

function ofServer({ status, code, retryAfter, mayRetry }: ServerError): Trouble {
  const isAway = status === null && code !== null && (AWAY_CODES.has(code) || BUSY_CODES.has(code))
  if (isAway || ((status === 429 || status === 503) && mayRetry)) {
    return { kind: 'busy', waitMs: retryAfter === null ? null : retryAfter * 1000 }
  }
  if (status === 503 || OVER.has(status ?? 0)) return { kind: 'over' }
  if (status === null || mayRetry) return { kind: 'flaky' }
  return { kind: 'failed', code }
}
