/** What became of an HTTP request: told once for each, when its answer is out, to the metrics and the log. */
import type { MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import { internalCaller } from '../internal.ts'
import type { Env, RequestContext } from '../routes/env.ts'
import type { Answered, OnAnswered } from './answered.ts'

export interface Requested {
  readonly requestId: string
  /** `-`: what came was no request that could be read. */
  readonly method: string
  /** Path as the routes spell it, never as the client did: paths can hold anything. Null: no route. */
  readonly endpoint: string | null
  readonly status: number
  /** Milliseconds until the answer was out. */
  readonly total: number
  /** Id of the caller; null: it was turned away before that was known. */
  readonly caller: string | null
  /** Of the error, as clients see it. */
  readonly code: string | null
  /** W3C trace context, as the client sent it. */
  readonly traceparent: string | null
  /** The server asked itself: a prompt of a batch. */
  readonly isInternal: boolean
  /** Null: it asked for no tokens. */
  readonly answered: Answered | null
}

export type OnRequested = (requested: Requested) => void

/** An answer that was given without the application: to what it never saw, or a handshake. */
export const withoutApp = (
  known: Partial<Requested> & Pick<Requested, 'requestId' | 'status'>,
): Requested => ({
  method: '-',
  endpoint: null,
  total: 0,
  caller: null,
  code: null,
  traceparent: null,
  isInternal: false,
  answered: null,
  ...known,
})

/**
 * Watches requests from outside of every other middleware. A stream is over when its generation is, not when its head
 * has left; what the generation has to tell reaches us by the context, because ids are the clients' and may come twice.
 */
export function watchRequests(
  onRequested: OnRequested,
  onAnswered: OnAnswered,
): MiddlewareHandler<Env> {
  return async (c, next) => {
    const began = performance.now()
    let answered: Answered | null = null
    let streams = false
    const tell = () =>
      onRequested({
        requestId: c.var.requestId,
        method: c.req.method,
        endpoint: endpointOf(c),
        status: c.res.status,
        total: performance.now() - began,
        caller: c.get('caller')?.id ?? null,
        code: answered?.code ?? c.get('errorCode') ?? null,
        traceparent: c.req.header('traceparent') ?? null,
        isInternal: internalCaller(c.env) !== null,
        answered,
      })
    c.set('onAnswered', (told) => {
      answered = told
      onAnswered(told)
      if (streams) tell()
    })
    await next()
    streams = isStream(c.res) && answered === null
    if (!streams) tell()
  }
}

const isStream = ({ headers }: Response): boolean =>
  headers.get('content-type')?.startsWith('text/event-stream') ?? false

/** `/v1/models/{id}`, as the OpenAPI document writes it. */
export function endpointOf(c: RequestContext): string | null {
  const route = matchedRoutes(c).findLast(({ method }) => method !== 'ALL')
  return route ? route.path.replace(/:(\w+)(\{[^}]*\})?/g, '{$1}') : null
}
