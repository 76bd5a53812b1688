/** The application behind Node's requests: web requests in, and answers out of which event streams go the short way. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { ApiError, toHttpError } from './contract/errors.ts'
import { requestId } from './request-id.ts'
import { eventsIn, writeEvents } from './sse.ts'

type Fetch = (request: Request, bindings: HttpBindings) => Response | Promise<Response>

export function requestListener(
  fetch: Fetch,
): (incoming: IncomingMessage, outgoing: ServerResponse) => void {
  const answer = async (request: Request, bindings: object): Promise<Response> => {
    const { incoming, outgoing } = bindings as HttpBindings
    const response = await fetch(request, { incoming, outgoing })
    const events = eventsIn(response)
    if (!events) return response
    writeEvents(events, response, outgoing).catch((error: unknown) =>
      outgoing.destroy(error instanceof Error ? error : undefined),
    )
    return RESPONSE_ALREADY_SENT
  }
  const listener = getRequestListener(answer, {
    overrideGlobalObjects: false,
    errorHandler: unreadable,
  })
  return (incoming, outgoing) => void listener(incoming, outgoing)
}

/** A request line or Host header that no URL can be made of never reaches the app. */
function unreadable(): Response {
  const error = new ApiError('bad_request', 'The request’s address or Host header is not valid.')
  const { body } = toHttpError(error, 'openai', requestId(undefined))
  return Response.json(body, { status: 400 })
}
