/**
 * Runs the application on a socket. It listens first and loads afterwards, so that from the first moment `/health`
 * tells how far the load is; on shutdown it refuses new work, lets answers finish for a while, ends the rest, and
 * closes the engine last.
 */
import type { Server } from 'node:http'
import type { Progress } from '../engine/api.ts'
import type { JwtSettings } from './auth/jwt.ts'
import type { ServedEngine } from './contract/served-engine.ts'
import type { Doors } from './doors.ts'
import { DEFAULT_HOST, listen } from './listen.ts'
import { createListener, type ListenerLimits } from './listener.ts'
import type { ModelEvent, ModelSource } from './models/model-source.ts'
import type { ModelsOptions } from './models/models.ts'
import type { OnAnswered } from './observe/answered.ts'
import { keepWatch } from './observe/keep-watch.ts'
import { type Log, logToStderr } from './observe/log.ts'
import type { OnRequested } from './observe/requested.ts'
import { checkBind, isLoopback } from './security.ts'
import { WaitingRoom } from './waiting-room.ts'
import type { Authenticate, SocketLimits } from './ws/session.ts'

export interface ServeOptions {
  /** Loads the one model there is, after the socket listens; `models` are for more. */
  load?: ModelSource['load']
  /** Names of that model beside its id. */
  aliases?: readonly string[]
  /** Which models there are; asked once, after the socket listens. */
  models?: () => Promise<ServedModels>
  /** Default 127.0.0.1. */
  host?: string
  /** Default 8000; 0 takes any free port. */
  port?: number
  /** Allow a host that other machines can reach. Default false. */
  insecure?: boolean
  /** Host names accepted beside this machine's own. Default: none on loopback, any elsewhere. */
  allowedHosts?: readonly string[]
  /** Most milliseconds for a request, from its admission. Default: no limit. */
  timeoutMs?: number
  /** Seconds that answers under way get to finish on shutdown. Default 30. */
  drainSeconds?: number
  /** Milliseconds that engines get to close, after everything else. Default 10,000. */
  closeMs?: number
  /** What a connection may cost. */
  limits?: ListenerLimits
  /** What a WebSocket may cost. */
  socketLimits?: Partial<SocketLimits>
  /** The folder of keys, limits and the ledger; ":memory:", the default, keeps nothing. */
  data?: string
  /** Days that entries of the ledger are kept; 0: for ever. Default: for ever, in memory a day. */
  ledgerDays?: number
  /** Whose tokens are good beside our own. */
  jwt?: JwtSettings
  /** Who holds the token that a WebSocket brings, instead of what the keys say. */
  authenticate?: Authenticate
  /** Hears the base URL as soon as the socket listens; the application is read afterwards. */
  onListening?: (url: string) => void
  /** Hears of every answer, once. */
  onAnswered?: OnAnswered
  /** Hears of every HTTP request, once, when its answer is out. */
  onRequested?: OnRequested
  /** Hears how far loads are. */
  onProgress?: (progress: Progress) => void
  /** Hears of models that are loaded and unloaded. */
  onModel?: (event: ModelEvent) => void
  /** Tells the operator what failed here. Default: on stderr. */
  log?: Log
}

export type ServedModels = Pick<ModelsOptions, 'pinned' | 'catalog' | 'budget' | 'keepAliveMs'>

export interface RunningServer {
  /** Base URL with the actual port. */
  readonly url: string
  /** Whether callers had to have a key when it started. */
  readonly needsKeys: boolean
  /** The engines of the pinned models, once they are loaded; rejects when a load fails (the server is then closed). */
  readonly ready: Promise<readonly ServedEngine[]>
  /** Drains and closes everything. Idempotent. */
  close(): Promise<void>
  /** Resolves when everything is closed. */
  readonly closed: Promise<void>
}

const DEFAULT_PORT = 8000
const CLOSE_MS = 10_000

/**
 * Listens, then loads.
 * @throws EngineError `bad_request` for a host that needs `insecure` or a key, a port in use, an address that is not
 *   ours, or state that cannot be opened
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { host = DEFAULT_HOST, port = DEFAULT_PORT, insecure = false, log = logToStderr } = options
  const room = new WaitingRoom()
  const server = createListener(room.handle, {
    ...options.limits,
    log,
    onRequested: room.onRequested,
  })
  // Where others can reach it, it must be known first whether there are keys: they lie in the database.
  const isEarly = isLoopback(host)
  let url = ''
  const bind = async () => {
    url = await listen(server, host, port)
    options.onListening?.(url)
  }
  if (isEarly) await bind()
  try {
    // Not before: reading the application's code takes longer than all else until here.
    const { openDoors } = await import('./doors.ts')
    const doors = await openDoors(server, host, options)
    try {
      checkBind(host, insecure, doors.needsKeys)
      if (!isEarly) await bind()
    } catch (error) {
      await doors.state.close()
      throw error
    }
    room.open(doors.handle, doors.onRequested)
    return run(server, doors, url, options)
  } catch (error) {
    server.close()
    server.closeAllConnections()
    throw error
  }
}

function run(server: Server, doors: Doors, url: string, options: ServeOptions): RunningServer {
  const { lifecycle } = doors
  const endWatch = keepWatch(lifecycle, options.log ?? logToStderr)
  const ready = lifecycle.models.loadPinned()
  let closing: Promise<void> | undefined
  const { promise: closed, resolve: announce } = withResolvers()
  const close = () => {
    closing ??= shutDown(server, doors, options)
      .finally(() => {
        endWatch()
        return doors.state.close()
      })
      .then(announce)
    return closing
  }
  // A failed load ends the server; whoever awaits `ready` sees why.
  ready.then(() => doors.batches.start(), close)
  return { url, needsKeys: doors.needsKeys, ready, close, closed }
}

async function shutDown(
  server: Server,
  { lifecycle, sockets, batches }: Doors,
  options: ServeOptions,
): Promise<void> {
  lifecycle.models.stop()
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
  // A GPU that hangs never answers.
  const inTime = await withinTime(lifecycle.models.close(), options.closeMs ?? CLOSE_MS)
  if (!inTime) (options.log ?? logToStderr)('an engine did not close in time and was left behind')
}

/** Whether it settled within so many milliseconds. */
async function withinTime(work: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds)
  })
  try {
    return await Promise.race([work.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
