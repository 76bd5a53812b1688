/**
 * The HTTP server under the application: what a connection may cost, and when its client counts as gone. Node's own
 * answers to what it cannot read take the shape of all others here.
 */
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { dialectOf } from './contract/dialect.ts'
import { ApiError, toHttpError } from './contract/errors.ts'
import { type OnRequested, withoutApp } from './observe/requested.ts'
import { requestId } from './request-id.ts'
import { stalledReaders } from './stalled-readers.ts'

export const MAX_HEADER_BYTES = 16 * 1024

export interface ListenerLimits {
  /** Milliseconds for a request's headers, and for all of it. Default 10 s and 60 s. */
  headersMs?: number
  requestMs?: number
  /** Milliseconds without a byte taken after which a reader is dropped. Default 30 s. */
  stallMs?: number
}

/**
 * A server that hands its requests to `handle`.
 * @param options with `onRequested`, which hears of what was refused here
 */
export function createListener(
  handle: (incoming: IncomingMessage, outgoing: ServerResponse) => void,
  options: ListenerLimits & { log: (line: string) => void; onRequested: OnRequested },
): Server {
  const { headersMs = 10_000, requestMs = 60_000, stallMs = 30_000, log, onRequested } = options
  const server = createServer({
    // Time to receive a request, not to answer it.
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    connectionsCheckingInterval: Math.min(1000, headersMs),
    // Longer than what proxies in front keep idle connections for, so that they close first.
    keepAliveTimeout: 75_000,
    maxHeaderSize: MAX_HEADER_BYTES,
    // Node's own refusal has no body and nobody would hear of it: `handle` refuses such a request.
    requireHostHeader: false,
    // A client that vanished without a word during a long prefill is found by the kernel's probes.
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
  })
  const readers = stalledReaders(stallMs, ({ remoteAddress }) =>
    log(`dropped a reader at ${remoteAddress} that took nothing for ${stallMs} ms`),
  )
  const answers = new WeakMap<Duplex, Set<ServerResponse>>()
  server.on('connection', (socket) => {
    const open = new Set<ServerResponse>()
    answers.set(socket, open)
    readers.watch(socket)
    tellWhenGone(socket, open)
  })
  const take = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const open = answers.get(incoming.socket)
    open?.add(outgoing)
    outgoing.once('close', () => open?.delete(outgoing))
    handle(incoming, outgoing)
  }
  server.on('request', take)
  // Expectations that nobody knows may be passed over (RFC 9110 §10.1.1); Node would answer by itself, to nobody's ears.
  server.on('checkExpectation', take)
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const begun = [...(answers.get(socket) ?? [])].some((outgoing) => outgoing.headersSent)
    if (begun || !socket.writable || error.code === 'ECONNRESET') socket.destroy()
    else onRequested(withoutApp(refuse(socket, unreadable(error), '/')))
  })
  server.on('close', () => readers.stop())
  return server
}

/**
 * A client that has sent its FIN counts as gone, and its answers as cancelled. HTTP has no half-closed clients (RFC 9112
 * §9.6 speaks of closing only), TCP does not tell them from those that left, and an answer that is not streamed writes
 * nothing by which one could find out. Node ends the connection at a FIN too, but only once all is written: a reader
 * that has stopped would never be missed.
 */
function tellWhenGone(socket: Socket, open: ReadonlySet<ServerResponse>): void {
  socket.once('end', () => {
    if ([...open].some((outgoing) => !outgoing.writableEnded)) socket.destroy()
  })
  socket.once('close', () => {
    for (const outgoing of open) {
      if (outgoing.closed) continue
      // Answers that wait for their turn on this connection have no socket yet: nobody else would tell them.
      outgoing.destroy()
      if (outgoing.socket === null) outgoing.emit('close')
    }
  })
}

/** What Node's parser found, in our words. */
function unreadable({ code, message }: NodeJS.ErrnoException): ApiError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new ApiError(
        'headers_too_large',
        `The headers are larger than ${MAX_HEADER_BYTES} bytes.`,
      )
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new ApiError('request_timeout', 'The request took too long to arrive.')
    default:
      return new ApiError(
        'malformed_request',
        `This is not a request in HTTP/1.1: ${message.slice(0, 200)}.`,
      )
  }
}

/** Answers on a bare socket with an error, and closes it. Returns what was answered. */
export function refuse(
  socket: Duplex,
  thrown: unknown,
  path: string,
  id = requestId(undefined),
): { requestId: string; status: number; code: string } {
  const { status, headers, body } = toHttpError(thrown, dialectOf(path), id)
  const text = JSON.stringify(body)
  const lines = Object.entries({
    ...headers,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'x-request-id': id,
    connection: 'close',
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  // A client that is gone already needs no answer.
  socket.once('error', () => socket.destroy())
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${text}`,
    () => socket.destroy(),
  )
  return { requestId: id, status, code: body.error.code }
}
