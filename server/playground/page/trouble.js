/** What may go wrong with a request, sorted by what a person can do about it. */

/**
 * `key`: none, or no good. `scope`: not for this. `limit`: too many. `loading`: no model yet. `busy`: later. `network`:
 * nobody answers. `lost`: the answer broke off. `refused`: the request is wrong. `server`: it failed there.
 * @typedef {'key' | 'scope' | 'limit' | 'loading' | 'busy' | 'network' | 'lost' | 'refused' | 'server'} Kind
 */

/** @typedef {{ type?: string, code?: string, message?: string, param?: string | null, request_id?: string }} WireError */

export class Trouble extends Error {
  /**
   * @param {Kind} kind
   * @param {string} message
   * @param {{ retryAfter?: number | null, param?: string | null, requestId?: string | null }} [details]
   */
  constructor(kind, message, { retryAfter = null, param = null, requestId = null } = {}) {
    super(message)
    this.kind = kind
    /** Seconds. */
    this.retryAfter = retryAfter
    this.param = param
    this.requestId = requestId
  }
}

const NO_ANSWER = 'The server does not answer. It may have been stopped, or the network is down.'

/** No answer came at all. @param {unknown} cause */
export function unreachable(cause) {
  const trouble = new Trouble('network', NO_ANSWER)
  trouble.cause = cause
  return trouble
}

export function brokenOff() {
  return new Trouble('lost', 'The connection was lost before the answer was complete.')
}

/** @param {Response} response @returns {Promise<Trouble>} */
export async function refusal(response) {
  const { status, headers } = response
  const error = await errorIn(response)
  const seconds = Number(headers.get('retry-after'))
  return new Trouble(
    kindOf(status, error.code),
    error.message ?? `The server answered ${status}.`,
    {
      retryAfter: Number.isFinite(seconds) && seconds > 0 ? seconds : null,
      param: error.param ?? null,
      requestId: error.request_id ?? headers.get('x-request-id'),
    },
  )
}

/** An error in the midst of a stream, which has no status. @param {WireError} error */
export function refusalInStream({ type, code, message, param = null, request_id = '' }) {
  const kind = type === 'invalid_request_error' ? 'refused' : 'server'
  return new Trouble(code === 'draining' ? 'busy' : kind, message ?? 'The answer failed.', {
    param,
    requestId: request_id || null,
  })
}

/** @param {Response} response @returns {Promise<WireError>} */
async function errorIn(response) {
  try {
    return (await response.json()).error ?? {}
  } catch {
    // A proxy's page, or nothing.
    return {}
  }
}

/** @param {number} status @param {string | undefined} code @returns {Kind} */
function kindOf(status, code) {
  if (status === 401) return 'key'
  if (status === 403 && code === 'insufficient_scope') return 'scope'
  if (status === 429) return 'limit'
  if (status === 503) return code === 'model_loading' ? 'loading' : 'busy'
  return status >= 500 ? 'server' : 'refused'
}
