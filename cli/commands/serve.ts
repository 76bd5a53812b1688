/** `illuminator serve`: the HTTP server. It answers `/health` from the first moment and says when the model is ready. */
import { basename, join } from 'node:path'
import { type Command, Option } from 'commander'
import type { LogLevel, OperatorLog, RunningServer, ServedEngine } from '../../server/index.ts'
import { applySettings } from '../config/sources.ts'
import { type Io, write } from '../io.ts'
import { addJwt, type JwtFlags, jwtFrom } from '../jwt-flags.ts'
import {
  addLoading,
  type LoadFlags,
  loadingFrom,
  modelName,
  real,
  several,
  whole,
} from '../options.ts'
import { createProgress, type ProgressReport } from '../progress.ts'
import type { Deps } from '../session.ts'

interface Flags extends LoadFlags, JwtFlags {
  host: string
  port: number
  insecure?: boolean
  allowedHost?: string[]
  drain: number
  timeout?: number
  data?: string
  logLevel: LogLevel
  logFormat: 'auto' | 'json' | 'text'
}

const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

export function addServe(program: Command, deps: Deps): void {
  addJwt(addLoading(program.command('serve').description('serve the model over HTTP')))
    .option('--host <host>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on; 0 takes any free one', whole(0, 65535), 8000)
    .option('--insecure', 'allow an address that other machines can reach')
    .option('--allowed-host <name>', 'a Host header to accept beside this machine’s own', several)
    .option('--timeout <seconds>', 'most time for a request', real(0.001, 86_400))
    .option('--drain <seconds>', 'time that answers get to finish on shutdown', real(0, 3600), 30)
    .option('--data <folder>', 'where keys, limits and the ledger are kept; ":memory:" keeps none')
    .addOption(
      new Option('--log-level <level>', 'least important lines of the log')
        .choices(LEVELS satisfies readonly LogLevel[])
        .default('info'),
    )
    .addOption(
      new Option(
        '--log-format <format>',
        'of the log on stderr; auto: text on a terminal, else json',
      )
        .choices(['auto', 'json', 'text'])
        .default('auto'),
    )
    .option(
      '--config <file>',
      'JSON file of settings: any of these flags, as in {"maxSequences": 8}',
    )
    .hook('preAction', async (command) =>
      applySettings(command, deps.io.env, await usualFile(deps, command)),
    )
    .action((flags: Flags) => serveModel(deps, flags))
}

/** `config.json` in the data folder that a flag or a variable names, else in the usual one. */
async function usualFile({ io, parts }: Deps, command: Command): Promise<string | null> {
  const { defaultDataFolder } = await parts.start()
  const { data = defaultDataFolder(io.env) } = command.opts<Pick<Flags, 'data'>>()
  return data === ':memory:' ? null : join(data, 'config.json')
}

async function serveModel({ io, parts }: Deps, flags: Flags): Promise<void> {
  const model = modelName(flags.model)
  const { closeOnSignals, createOperatorLog, defaultDataFolder, serve, tracedLog } =
    await parts.start()
  const jwt = await jwtFrom(flags)
  const format = formatOf(io, flags)
  const text = (line: string) => io.stderr.write(line)
  const log = createOperatorLog({ format, level: flags.logLevel, write: text })
  const traced = tracedLog(log, io.env)
  // Bars are for people who watch; a log gets lines of its own kind.
  const watched = format === 'text' && io.stderr.isTTY
  const progress = createProgress(io, watched ? undefined : (line) => log.event('info', line))
  let told = Promise.resolve()
  const starting = serve({
    host: flags.host,
    port: flags.port,
    insecure: flags.insecure ?? false,
    drainSeconds: flags.drain,
    data: flags.data ?? defaultDataFolder(io.env),
    ...(jwt ? { jwt } : {}),
    ...(flags.timeout === undefined ? {} : { timeoutMs: Math.ceil(flags.timeout * 1000) }),
    ...(flags.allowedHost ? { allowedHosts: flags.allowedHost } : {}),
    ...(model ? { aliases: [model, basename(model)] } : {}),
    onListening: (url) => {
      told = write(io.stdout, `illuminator listens on ${url} and loads the model\n`)
      log.event('info', 'listening', { url })
    },
    onProgress: (step) => progress.report(step),
    log: log.log,
    onRequested: traced.requested,
    onAnswered: traced.answered,
    load: (hooks) => parts.openEngine(model, { ...loadingFrom(flags), ...hooks }),
  })
  let asked = false
  const release = closeOnSignals(starting, (line) => {
    asked = true
    progress.stop()
    log.event('info', line)
  })
  try {
    const server = await starting
    traced.open()
    await told
    const wasAsked = () => asked
    await untilClosed({ io, log, progress, wasAsked }, server, flags)
  } catch (error) {
    // A load that a signal cut short is a shutdown like any other.
    if (!asked) throw error
  } finally {
    await traced.close()
    release()
  }
  log.event('info', 'closed')
}

function formatOf(io: Io, { logFormat }: Flags): 'json' | 'text' {
  if (logFormat !== 'auto') return logFormat
  return io.stderr.isTTY ? 'text' : 'json'
}

interface Surroundings {
  io: Io
  log: OperatorLog
  progress: ProgressReport
  /** A signal has asked for the end. */
  wasAsked: () => boolean
}

/** Says when the model is ready, and stays until a signal or a failed load ends the server. */
async function untilClosed(
  { io, log, progress, wasAsked }: Surroundings,
  server: RunningServer,
  flags: Flags,
): Promise<void> {
  try {
    const engine = await server.ready
    progress.stop()
    const { id, weights, contextLength } = engine.info
    const adapter = engine.stats.adapter.name
    log.event('info', 'ready', { model: id, weights, context: contextLength, adapter })
    await write(io.stdout, banner(engine, server, flags))
  } catch (error) {
    progress.stop()
    if (!wasAsked()) log.event('fatal', 'the model could not be loaded', { error })
    throw error
  } finally {
    await server.closed
  }
}

function banner(
  { info, stats }: ServedEngine,
  { url, needsKeys }: RunningServer,
  flags: Flags,
): string {
  const body = '{"messages":[{"role":"user","content":"Why is the sky blue?"}],"stream":true}'
  const key = needsKeys ? " -H 'authorization: Bearer <key>'" : ''
  const reach = needsKeys
    ? 'API keys are needed: "illuminator keys create --name <name>" makes one.'
    : flags.insecure
      ? 'No API keys: everybody who can connect can use it.'
      : 'No API keys: every program on this machine can use it.'
  return [
    `Ready: ${info.id} (${info.weights}, context ${info.contextLength}) on ${stats.adapter.name}`,
    reach,
    'Try it:',
    `  curl -N ${url}/v1/chat/completions -H 'content-type: application/json'${key} -d '${body}'`,
    '',
  ].join('\n')
}
