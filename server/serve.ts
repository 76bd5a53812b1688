/**
 * Runs the application on a socket. It listens first and loads afterwards, so that from the first moment `/health`
 * tells how far the load is; on shutdown it refuses new work, lets answers finish for a while, ends the rest, and
 * closes the engine last.
 */
import type { Server } from 'node:http'
import type { Progress } from '../engine/api.ts'
import { createApp, depsOf } from './app.ts'
import type { JwtSettings } from './auth/jwt.ts'
import { askThrough } from './batch/ask.ts'
import { Batches } from './batch/batches.ts'
import type { ServedEngine } from './contract/served-engine.ts'
import { Lifecycle } from './lifecycle.ts'
import { AdmissionQueue } from './limits/queue.ts'
import { DEFAULT_HOST, listen } from './listen.ts'
import { createListener, type ListenerLimits } from './listener.ts'
import type { OnAnswered } from './observe/answered.ts'
import { keepWatch } from './observe/keep-watch.ts'
import { type Log, logToStderr } from './observe/log.ts'
import type { OnRequested } from './observe/requested.ts'
import { requestListener } from './request-listener.ts'
import { checkBind, isLoopback } from './security.ts'
import { openState, type ServerState } from './state.ts'
import { databaseFile } from './store/data-folder.ts'
import { IN_MEMORY } from './store/database.ts'
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
  /** The folder of keys, limits and the ledger; ":memory:", the default, keeps nothing. */
  data?: string
  /** Whose tokens are good beside our own. */
  jwt?: JwtSettings
  /** Who holds the token that a WebSocket brings, instead of what the keys say. */
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
  /** Whether callers had to have a key when it started. */
  readonly needsKeys: boolean
  /** The engine, once it is loaded; rejects when the load fails (the server is then closed). */
  readonly ready: Promise<ServedEngine>
  /** Drains and closes everything. Idempotent. */
  close(): Promise<void>
  /** Resolves when everything is closed. */
  readonly closed: Promise<void>
}

const DEFAULT_PORT = 8000
/** Prompts of batches asked at once: enough to fill the engine's steps, and they leave room for others. */
const BATCH_WIDTH = 16

/**
 * Listens, then loads.
 * @throws EngineError `bad_request` for a host that needs `insecure` or a key, a port in use, an address that is not
 *   ours, or state that cannot be opened
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { data = IN_MEMORY, jwt, log = logToStderr } = options
  const state = await openState({ file: databaseFile(data), log, ...(jwt ? { jwt } : {}) })
  try {
    return await serveOver(state, options)
  } catch (error) {
    await state.close()
    throw error
  }
}

async function serveOver(state: ServerState, options: ServeOptions): Promise<RunningServer> {
  const host = options.host ?? DEFAULT_HOST
  const needsKeys = await state.authenticator.isNeeded()
  checkBind(host, options.insecure ?? false, needsKeys)
  const lifecycle = new Lifecycle()
  const doors = createDoors(lifecycle, state, host, options)
  const url = await listen(doors.server, host, options.port ?? DEFAULT_PORT)
  const endWatch = keepWatch(lifecycle, options.log ?? logToStderr)
  const loading = new AbortController()
  const ready = load(lifecycle, options, loading.signal)
  let closing: Promise<void> | undefined
  const { promise: closed, resolve: announce } = withResolvers()
  const close = () => {
    closing ??= shutDown(doors, lifecycle, ready, loading, options)
      .finally(() => {
        endWatch()
        return state.close()
      })
      .then(announce)
    return closing
  }
  // A failed load ends the server; whoever awaits `ready` sees why.
  ready.then(() => doors.batches.start(), close)
  return { url, needsKeys, ready, close, closed }
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

/** The ways in. */
interface Doors {
  readonly server: Server
  readonly sockets: Sockets
  readonly batches: Batches
}

function createDoors(
  lifecycle: Lifecycle,
  state: ServerState,
  host: string,
  options: ServeOptions,
): Doors {
  const { aliases, log = logToStderr, onAnswered, socketLimits, timeoutMs } = options
  const authenticate: Authenticate =
    options.authenticate ?? ((token) => state.authenticator.authenticate(token))
  const allowedHosts = options.allowedHosts ?? (isLoopback(host) ? [] : null)
  const batches = new Batches(
    state.database,
    askThrough(() => app),
    { width: BATCH_WIDTH, log },
  )
  const settings = {
    lifecycle,
    allowedHosts,
    queue: new AdmissionQueue(),
    state,
    batches,
    log,
    ...(aliases ? { aliases } : {}),
    ...(onAnswered ? { onAnswered } : {}),
    ...(options.onRequested ? { onRequested: options.onRequested } : {}),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  }
  const deps = depsOf(settings)
  const app = createApp(settings, deps)
  const listener = requestListener(app.fetch)
  const server = createListener(
    (incoming, outgoing) => {
      if (lifecycle.phase === 'draining') outgoing.setHeader('connection', 'close')
      listener(incoming, outgoing)
    },
    { ...options.limits, log },
  )
  const sockets = acceptSockets(server, {
    deps,
    allowedHosts,
    authenticate,
    ...(socketLimits ? { limits: socketLimits } : {}),
  })
  return { server, sockets, batches }
}

async function shutDown(
  { server, sockets, batches }: Doors,
  lifecycle: Lifecycle,
  ready: Promise<ServedEngine>,
  loading: AbortController,
  options: ServeOptions,
): Promise<void> {
  loading.abort()
  sockets.drain()
  // Nobody waits for it: what is under way is asked again after the next start.
  await batches.stop()
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
