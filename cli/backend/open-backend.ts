/** Which backend a command gets: a server where one is named, else a model in this process. */
import type { Command } from 'commander'
import { applyClientSettings } from '../client/effective.ts'
import { addServer, INSTEAD, type ServerFlags } from '../client/options.ts'
import { UsageError } from '../exit.ts'
import { addLoading, type LoadFlags, loadingFrom, modelName } from '../options.ts'
import { type Deps, untilInterrupted, withEngine } from '../session.ts'
import { type Backend, localBackend } from './backend.ts'

export interface BackendFlags extends LoadFlags, ServerFlags {
  local?: boolean
}

/**
 * Adds what a backend is chosen by, and lets the configuration fill in what the command line leaves open.
 * @param loading `addEngine` for a command whose model is no option
 */
export function addBackend(command: Command, deps: Deps, loading = addLoading): Command {
  return addServer(loading(command), INSTEAD)
    .option('--local', 'run the model here although a server is configured')
    .hook('preAction', async (_, running) => {
      await applyClientSettings(running, deps.io.env)
      const { url, local } = running.opts<BackendFlags>()
      if ((url === undefined || local) && running.getOptionValueSource('timeout') === 'cli') {
        throw new UsageError('--timeout is about a server; name one with --url, or leave it out.')
      }
    })
}

/** Flags of a model in this process, by how they are written. */
const LOCAL_FLAGS: Readonly<Record<Exclude<keyof LoadFlags, 'model'>, string>> = {
  context: '--context',
  quantize: '--quantize',
  kv: '--kv',
  activations: '--activations',
  kvMemory: '--kv-memory',
  maxSequences: '--max-sequences',
  prefillChunk: '--prefill-chunk',
  draft: '--draft',
  speculate: '--speculate',
  chatTemplate: '--chat-template',
  adapter: '--adapter',
}

/**
 * Runs `use` with what answers.
 * @param use gets a signal that fires on Ctrl-C
 * @throws Interrupted when Ctrl-C ended it; UsageError for flags that do not go together
 */
export async function withBackend<T>(
  deps: Deps,
  flags: BackendFlags,
  use: (backend: Backend, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { url, model } = flags
  if (url === undefined || flags.local) {
    return withEngine(deps, modelName(model), loadingFrom(flags), (engine, signal) =>
      use(localBackend(engine), signal),
    )
  }
  for (const [key, flag] of Object.entries(LOCAL_FLAGS)) {
    if (flags[key as keyof LoadFlags] === undefined) continue
    throw new UsageError(
      `${flag} is about a model in this process, but ${url} is asked. Leave it out, or add --local.`,
    )
  }
  // Read only when it is needed: no start should wait for it.
  const { RemoteBackend } = await import('./remote.ts')
  const { serverOf } = await import('./server-of.ts')
  const backend = new RemoteBackend(serverOf(deps.io, { ...flags, url }), model ?? null)
  return untilInterrupted(deps.io, (signal) => use(backend, signal))
}
