/** The application behind Node's requests: web requests in, and answers out of which event streams go the short way. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { getRequestListener, type HttpBindings, RequestError } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { ApiError, toHttpError } from './contract/errors.ts'
import { type OnRequested, withoutApp } from './observe/requested.ts'
import { requestId } from './request-id.ts'
import { eventsIn, writeEvents } from './sse.ts'
import { tellStillWorking } from './still-working.ts'

type Fetch = (request: Request, bindings: HttpBindings) => Response | Promise<Response>

/** @param onRequested hears of what was refused before it could reach the application */
export function requestListener(
  fetch: Fetch,
  onRequested: OnRequested = () => undefined,
): (incoming: IncomingMessage, outgoing: ServerResponse) => void {
  const reached = new WeakSet<ServerResponse>()
  const answer = async (request: Request, bindings: object): Promise<Response> => {
    const { incoming, outgoing } = bindings as HttpBindings
    // It looks at the letters only: a Host of 1.2.3.4.5 would fail in the middle, when somebody wants the body.
    if (!URL.canParse(request.url)) throw new RequestError('Invalid URL')
    reached.add(outgoing as ServerResponse)
    const head = fetch(request, { incoming, outgoing })
    const response = await tellStillWorking(incoming, outgoing as ServerResponse, head)
    const events = eventsIn(response)
    if (!events) return response
    writeEvents(events, response, outgoing)
    return RESPONSE_ALREADY_SENT
  }
  const listener = getRequestListener(answer, {
    overrideGlobalObjects: false,
    errorHandler(error) {
      // Of what no URL can be made: below, where the request is known.
      if (error instanceof RequestError) return undefined
      const { status, body } = toHttpError(error, 'openai', requestId(undefined))
      return Response.json(body, { status })
    },
  })
  return (incoming, outgoing) => {
    void listener(incoming, outgoing).then(() => {
      if (!reached.has(outgoing)) refuseUnreadable(incoming, outgoing, onRequested)
    })
  }
}

/** A request line or Host header that no URL can be made of never reaches the app. */
function refuseUnreadable(
  { method = '-' }: IncomingMessage,
  outgoing: ServerResponse,
  onRequested: OnRequested,
): void {
  const message = 'The request’s address or Host header is missing or not valid.'
  const id = requestId(undefined)
  const { status, body } = toHttpError(new ApiError('malformed_request', message), 'openai', id)
  onRequested(withoutApp({ requestId: id, method, status, code: body.error.code }))
  const text = JSON.stringify(body)
  outgoing.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'x-request-id': id,
    connection: 'close',
  })
  outgoing.end(text)
}
