/**
 * Runs the application on a socket. It listens first and loads afterwards, so that from the first moment `/health`
 * tells how far the load is; on shutdown it refuses new work, lets answers finish for a while, ends the rest, and
 * closes the engine last.
 */
import type { Server } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import type { Progress } from '../engine/api.ts'
import { EngineError } from '../engine/errors.ts'
import { createApp, depsOf } from './app.ts'
import { ApiError, toHttpError } from './contract/errors.ts'
import type { ServedEngine } from './contract/served-engine.ts'
import { Lifecycle } from './lifecycle.ts'
import { createListener, type ListenerLimits } from './listener.ts'
import type { OnAnswered } from './observe/answered.ts'
import { type Log, logToStderr } from './observe/log.ts'
import { Metrics } from './observe/metrics.ts'
import type { OnRequested } from './observe/requested.ts'
import { requestId } from './request-id.ts'
import { checkBind, isLoopback } from './security.ts'
import type { Authenticate, SocketLimits } from './ws/session.ts'
import { acceptSockets, type Sockets } from './ws/upgrade.ts'

export interface ServeOptions {
  /** Loads the engine; called once, after the socket listens. */
  load: (hooks: {
    onProgress: (progress: Progress) => void
    signal: AbortSignal
  }) => Promise<ServedEngine>
  /** Default 127.0.0.1. */
  host?: string
  /** Default 8000; 0 takes any free port. */
  port?: number
  /** Allow a host that other machines can reach. Default false. */
  insecure?: boolean
  /** Host names accepted beside this machine's own. Default: none on loopback, any elsewhere. */
  allowedHosts?: readonly string[]
  aliases?: readonly string[]
  /** Most milliseconds for a request, from its admission. Default: no limit. */
  timeoutMs?: number
  /** Seconds that answers under way get to finish on shutdown. Default 30. */
  drainSeconds?: number
  /** What a connection may cost. */
  limits?: ListenerLimits
  /** What a WebSocket may cost. */
  socketLimits?: Partial<SocketLimits>
  /** Who holds the token that a WebSocket brings. Default: anyone. */
  authenticate?: Authenticate
  /** Hears of every answer, once. */
  onAnswered?: OnAnswered
  /** Hears of every HTTP request, once, when its answer is out. */
  onRequested?: OnRequested
  onProgress?: (progress: Progress) => void
  /** Tells the operator what failed here. Default: on stderr. */
  log?: Log
}

export interface RunningServer {
  /** Base URL with the actual port. */
  readonly url: string
  /** The engine, once it is loaded; rejects when the load fails (the server is then closed). */
  readonly ready: Promise<ServedEngine>
  /** Drains and closes everything. Idempotent. */
  close(): Promise<void>
  /** Resolves when everything is closed. */
  readonly closed: Promise<void>
}

const DEFAULT_HOST = '127.0.0.1'
const DEFAULT_PORT = 8000

/**
 * Listens, then loads.
 * @throws EngineError `bad_request` for a host that needs `insecure`, a port in use, or an address that is not ours
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const host = options.host ?? DEFAULT_HOST
  checkBind(host, options.insecure ?? false)
  const lifecycle = new Lifecycle()
  const { server, sockets } = createServer(lifecycle, host, options)
  const url = await listen(server, host, options.port ?? DEFAULT_PORT)
  const loading = new AbortController()
  const ready = load(lifecycle, options, loading.signal)
  let closing: Promise<void> | undefined
  const { promise: closed, resolve: announce } = withResolvers()
  const close = () => {
    closing ??= shutDown(server, sockets, lifecycle, ready, loading, options).then(announce)
    return closing
  }
  // A failed load ends the server; whoever awaits `ready` sees why.
  ready.catch(close)
  return { url, ready, close, closed }
}

async function load(
  lifecycle: Lifecycle,
  options: ServeOptions,
  signal: AbortSignal,
): Promise<ServedEngine> {
  const onProgress = (progress: Progress) => {
    lifecycle.progress = progress
    options.onProgress?.(progress)
  }
  const engine = await options.load({ onProgress, signal })
  lifecycle.serve(engine)
  return engine
}

function createServer(
  lifecycle: Lifecycle,
  host: string,
  options: ServeOptions,
): { server: Server; sockets: Sockets } {
  const { aliases, authenticate, log = logToStderr, onAnswered, socketLimits, timeoutMs } = options
  const allowedHosts = options.allowedHosts ?? (isLoopback(host) ? [] : null)
  const settings = {
    lifecycle,
    allowedHosts,
    // One for both ways in.
    metrics: new Metrics(lifecycle),
    log,
    ...(aliases ? { aliases } : {}),
    ...(onAnswered ? { onAnswered } : {}),
    ...(options.onRequested ? { onRequested: options.onRequested } : {}),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  }
  const listener = getRequestListener(createApp(settings).fetch, {
    overrideGlobalObjects: false,
    errorHandler: unreadable,
  })
  const server = createListener(
    (incoming, outgoing) => {
      if (lifecycle.phase === 'draining') outgoing.setHeader('connection', 'close')
      void listener(incoming, outgoing)
    },
    { ...options.limits, log },
  )
  const sockets = acceptSockets(server, {
    deps: depsOf(settings),
    allowedHosts,
    ...(authenticate ? { authenticate } : {}),
    ...(socketLimits ? { limits: socketLimits } : {}),
  })
  return { server, sockets }
}

/** A request line or Host header that no URL can be made of never reaches the app. */
function unreadable(): Response {
  const error = new ApiError('bad_request', 'The request’s address or Host header is not valid.')
  const { body } = toHttpError(error, 'openai', requestId(undefined))
  return Response.json(body, { status: 400 })
}

function listen(server: Server, host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(bindError(cause, host, port)))
    server.listen(port, host, () => resolve(urlOf(server, host)))
  })
}

function bindError(cause: NodeJS.ErrnoException, host: string, port: number): EngineError {
  const param = cause.code === 'EADDRINUSE' || cause.code === 'EACCES' ? 'port' : 'host'
  const why =
    cause.code === 'EADDRINUSE'
      ? `port ${port} is already in use. Stop the other server, or choose another port with --port (0 takes any).`
      : cause.code === 'EACCES'
        ? `port ${port} needs more rights than this process has. Choose one above 1023 with --port.`
        : `${cause.message}. Give an address of this machine with --host.`
  return new EngineError('bad_request', `Cannot listen on ${host}: ${why}`, { cause, param })
}

function urlOf(server: Server, host: string): string {
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const wildcard = host === '0.0.0.0' || host === '::'
  const name = wildcard ? DEFAULT_HOST : host.includes(':') ? `[${host}]` : host
  return `http://${name}:${port}`
}

async function shutDown(
  server: Server,
  sockets: Sockets,
  lifecycle: Lifecycle,
  ready: Promise<ServedEngine>,
  loading: AbortController,
  options: ServeOptions,
): Promise<void> {
  loading.abort()
  sockets.drain()
  // Still listening: until the last answer is out, `/health` says "draining" and new work is told to go elsewhere.
  await lifecycle.drain((options.drainSeconds ?? 30) * 1000)
  const stopped = new Promise<void>((resolve) => server.close(() => resolve()))
  // The last bytes of an answer are still on their way when it counts as ended: idle connections close as they become
  // so, and those whose reader has stopped are cut after a second.
  const sweep = setInterval(() => server.closeIdleConnections(), 50)
  const cut = setTimeout(() => {
    server.closeAllConnections()
    sockets.cut()
  }, 1000)
  await stopped
  clearInterval(sweep)
  clearTimeout(cut)
  const engine = await ready.catch(() => null)
  await engine?.close()
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

/**
 * Closes the server on SIGTERM or SIGINT and leaves with 0; a second signal leaves at once.
 * @returns takes the handlers off again
 */
export function closeOnSignals(server: RunningServer, log: (line: string) => void): () => void {
  let asked = false
  const onSignal = (signal: NodeJS.Signals) => {
    if (asked) process.exit(signal === 'SIGINT' ? 130 : 143)
    asked = true
    log(`${signal}: finishing what is under way (again to leave at once)`)
    void server.close()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return () => {
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
}
