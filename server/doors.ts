/** The ways into the server, behind its socket: the application with its state, WebSockets, and the batch queue. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createApp, depsOf } from './app.ts'
import { askThrough } from './batch/ask.ts'
import { Batches } from './batch/batches.ts'
import { Lifecycle } from './lifecycle.ts'
import { AdmissionQueue } from './limits/queue.ts'
import type { ModelSource } from './models/model-source.ts'
import { Models } from './models/models.ts'
import { logToStderr } from './observe/log.ts'
import type { OnRequested } from './observe/requested.ts'
import { requestListener } from './request-listener.ts'
import { isLoopback } from './security.ts'
import type { ServeOptions } from './serve.ts'
import { openState, type ServerState } from './state.ts'
import { databaseFile, IN_MEMORY } from './store/data-folder.ts'
import type { Authenticate } from './ws/session.ts'
import { acceptSockets, type Sockets } from './ws/upgrade.ts'

export interface Doors {
  readonly lifecycle: Lifecycle
  readonly state: ServerState
  /** Whether callers must have a key. */
  readonly needsKeys: boolean
  readonly handle: (incoming: IncomingMessage, outgoing: ServerResponse) => void
  /** Hears of answers that were given without the application. */
  readonly onRequested: OnRequested
  readonly sockets: Sockets
  readonly batches: Batches
}

/** Prompts of batches asked at once: enough to fill the engine's steps, and they leave room for others. */
const BATCH_WIDTH = 16

/**
 * Opens the state and what needs it. `handle` is still to be put behind the server's requests.
 * @throws EngineError `bad_request` for state that cannot be opened
 */
export async function openDoors(
  server: Server,
  host: string,
  options: ServeOptions,
): Promise<Doors> {
  const { data = IN_MEMORY, jwt, log = logToStderr, onAnswered, socketLimits } = options
  const { timeoutMs, onRequested } = options
  const lifecycle = new Lifecycle(await modelsOf(options))
  // Of what ends with the process nobody reads the past, and it would fill the memory.
  const { ledgerDays = data === IN_MEMORY ? 1 : 0 } = options
  const file = databaseFile(data)
  const state = await openState({ file, ledgerDays, log, ...(jwt ? { jwt } : {}) })
  const authenticate: Authenticate =
    options.authenticate ?? ((token) => state.authenticator.authenticate(token))
  const allowedHosts = options.allowedHosts ?? (isLoopback(host) ? [] : null)
  const ask = askThrough(() => app)
  const batches = new Batches(state.database, ask, { width: BATCH_WIDTH, log })
  const settings = {
    lifecycle,
    allowedHosts,
    queue: new AdmissionQueue(),
    state,
    batches,
    log,
    ...(onAnswered ? { onAnswered } : {}),
    ...(onRequested ? { onRequested } : {}),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  }
  const deps = depsOf(settings)
  const app = createApp(settings, deps)
  const listener = requestListener(app.fetch, deps.onRequested)
  const limits = socketLimits ? { limits: socketLimits } : {}
  return {
    lifecycle,
    state,
    needsKeys: await state.authenticator.isNeeded(),
    handle: (incoming, outgoing) => {
      if (lifecycle.phase === 'draining') outgoing.setHeader('connection', 'close')
      listener(incoming, outgoing)
    },
    onRequested: deps.onRequested,
    sockets: acceptSockets(server, { deps, allowedHosts, authenticate, ...limits }),
    batches,
  }
}

async function modelsOf(options: ServeOptions): Promise<Models> {
  const { load, aliases = [], onProgress, onModel } = options
  const { pinned = [], catalog, ...rest } = (await options.models?.()) ?? {}
  const told = (source: ModelSource): ModelSource => ({
    ...source,
    load: (hooks) =>
      source.load({
        ...hooks,
        onProgress(progress) {
          hooks.onProgress(progress)
          onProgress?.(progress)
        },
      }),
  })
  const all = load ? [{ aliases, load }, ...pinned] : pinned
  return new Models({
    ...rest,
    pinned: all.map(told),
    ...(catalog ? { catalog: async () => (await catalog()).map(told) } : {}),
    ...(onModel ? { onEvent: onModel } : {}),
  })
}
