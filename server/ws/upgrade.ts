/**
 * From an HTTP request to a WebSocket: who may, where, and what anybody else is answered. Works on the server's
 * `upgrade` event, which Node gives in place of a request.
 */
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import type { Caller } from '../auth/caller.ts'
import { credentialOf } from '../auth/credential-header.ts'
import { ApiError } from '../contract/errors.ts'
import { refuse } from '../listener.ts'
import { withoutApp } from '../observe/requested.ts'
import { requestId } from '../request-id.ts'
import type { Deps, RequestContext } from '../routes/env.ts'
import { checkCaller } from '../security.ts'
import {
  type Authenticate,
  letAnyoneIn,
  Session,
  SOCKET_LIMITS,
  type SocketLimits,
} from './session.ts'

const SOCKET_PATH = '/ws'

/** Largest message, in bytes. */
export const MAX_MESSAGE = 1024 * 1024

/** Milliseconds that a client has to close its side, once ours is closed. (Its types do not know the option yet.) */
const CLOSING = { closeTimeout: 1000 }

export interface SocketOptions {
  deps: Deps
  /** As for `checkCaller`. */
  allowedHosts: readonly string[] | null
  /** Instead of what the server's state says. */
  authenticate?: Authenticate
  limits?: Partial<SocketLimits>
}

export interface Sockets {
  /** Lets what is under way finish, and closes each socket when it has; new ones are refused. */
  drain(): void
  /** Ends those whose client did not answer the farewell. */
  cut(): void
}

/** Answers WebSockets on a server. */
export function acceptSockets(server: Server, options: SocketOptions): Sockets {
  const { deps, authenticate = authenticateBy(deps) } = options
  const limits = { ...SOCKET_LIMITS, ...options.limits }
  const sessions = new Set<Session>()
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: true,
    maxPayload: MAX_MESSAGE,
    // A message of a million fragments would be a million objects.
    maxFragments: 1024,
    perMessageDeflate: false,
    ...CLOSING,
  })
  const turnAway = (request: IncomingMessage, socket: Duplex, error: unknown) =>
    tell(deps, request, refuse(socket, error, pathOf(request.url), idOf(request)))
  sockets.on('wsClientError', (error, socket, request) => {
    const message = `This is not a WebSocket handshake: ${error.message}.`
    turnAway(request, socket, new ApiError('malformed_request', message))
  })
  const accept = async (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    checkRequest(request, options)
    const token = tokenOf(request)
    const caller = await callerOf(authenticate, token)
    // The handshake looks for itself whether the client is still there.
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      tell(deps, request, { requestId: idOf(request), status: 101, caller: caller?.id ?? null })
      const isIn = caller !== null
      const traceparent = header(request, 'traceparent')
      const known = { token, isIn, traceparent }
      const session = new Session(webSocket, deps, authenticate, limits, known)
      sessions.add(session)
      socket.once('end', () => session.leave())
      webSocket.once('close', () => sessions.delete(session))
      if (deps.lifecycle.phase === 'draining') session.drain()
    })
  }
  server.on('upgrade', (request, socket, head) => {
    if (request.headers.upgrade?.toLowerCase() !== 'websocket') {
      goOnWithout(server, request, socket, head)
      return
    }
    socket.on('error', () => socket.destroy())
    accept(request, socket, head).catch((error: unknown) => turnAway(request, socket, error))
  })
  return {
    drain() {
      for (const session of sessions) session.drain()
    },
    cut() {
      for (const socket of sockets.clients) socket.terminate()
    },
  }
}

function authenticateBy({ state }: Deps): Authenticate {
  return state ? (token) => state.authenticator.authenticate(token) : letAnyoneIn
}

/** @throws ApiError for what is no WebSocket of ours */
function checkRequest(request: IncomingMessage, { deps, allowedHosts }: SocketOptions): void {
  checkCaller(header(request, 'host') ?? '', header(request, 'origin'), allowedHosts)
  const path = pathOf(request.url)
  if (path !== SOCKET_PATH) {
    throw new ApiError(
      'not_found',
      `There is no WebSocket at ${path.slice(0, 200)}; it is at ${SOCKET_PATH}.`,
    )
  }
  if (deps.lifecycle.phase === 'draining') {
    throw new ApiError('draining', 'The server is shutting down; try another one or later.')
  }
}

/** Tells of a handshake, as of any request: it counts as answered when it is, however long the socket stays. */
function tell(
  { onRequested }: Deps,
  request: IncomingMessage,
  answer: Parameters<typeof withoutApp>[0],
): void {
  const { method = '-' } = request
  const endpoint = pathOf(request.url) === SOCKET_PATH ? SOCKET_PATH : null
  const traceparent = header(request, 'traceparent') ?? null
  onRequested(withoutApp({ method, endpoint, traceparent, ...answer }))
}

const idOf = (request: IncomingMessage): string => requestId(header(request, 'x-request-id'))

/** Null: without a token a client may still send one. A wrong one is refused at once. */
async function callerOf(authenticate: Authenticate, token: string | null): Promise<Caller | null> {
  try {
    return await authenticate(token)
  } catch (error) {
    const mayStillSay =
      token === null && error instanceof ApiError && error.code === 'unauthenticated'
    if (mayStillSay) return null
    throw error
  }
}

/** @throws ApiError `unauthenticated` for what cannot be a key */
function tokenOf(request: IncomingMessage): string | null {
  const headers = new Headers()
  for (const name of ['authorization', 'x-api-key']) {
    const value = header(request, name)
    if (value !== undefined) headers.set(name, value)
  }
  return credentialOf(headers)
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value[0] : value
}

const pathOf = (url = '/'): string => url.split(/[?#]/, 1)[0] ?? '/'

/**
 * A client may offer another protocol along with any request (Java's sends `Upgrade: h2c`), and a server may ignore the
 * offer (RFC 9110 §7.8). Node does so only while nobody listens for upgrades: so the request goes in once more, without.
 */
function goOnWithout(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { method = 'GET', url = '/', httpVersion, rawHeaders } = request
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name = '', value = ''] = rawHeaders.slice(i, i + 2)
    if (!/^(upgrade|connection|http2-settings)$/i.test(name)) text += `${name}: ${value}\r\n`
  }
  if (/\bclose\b/i.test(header(request, 'connection') ?? '')) text += 'connection: close\r\n'
  socket.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), head]))
  server.emit('connection', socket)
}

/** A plain request at the socket's path. */
export function upgradeRequired(c: RequestContext): never {
  c.header('upgrade', 'websocket')
  c.header('connection', 'Upgrade')
  throw new ApiError('upgrade_required', `${SOCKET_PATH} is a WebSocket; open it with one.`)
}
