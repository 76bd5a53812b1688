/** `illuminator serve`: the HTTP server. It answers `/health` from the first moment and says when the model is ready. */
import { join } from 'node:path'
import { type Command, Option } from 'commander'
import type {
  LogLevel,
  ModelEvent,
  OperatorLog,
  RunningServer,
  ServedEngine,
} from '../../server/index.ts'
import { applySettings } from '../config/sources.ts'
import { type Io, write } from '../io.ts'
import { addJwt, type JwtFlags, jwtFrom } from '../jwt-flags.ts'
import { real, several, whole } from '../options.ts'
import { createProgress, type ProgressReport } from '../progress.ts'
import { addServedModels, type ServedFlags, servedModels } from '../served-models.ts'
import type { Deps } from '../session.ts'

interface Flags extends ServedFlags, JwtFlags {
  host: string
  port: number
  insecure?: boolean
  allowedHost?: string[]
  drain: number
  timeout?: number
  data?: string
  ledgerDays?: number
  logLevel: LogLevel
  logFormat: 'auto' | 'json' | 'text'
}

const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

export function addServe(program: Command, deps: Deps): void {
  addJwt(addServedModels(program.command('serve').description('serve models over HTTP')))
    .option('--host <host>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on; 0 takes any free one', whole(0, 65535), 8000)
    .option('--insecure', 'allow an address that other machines can reach')
    .option('--allowed-host <name>', 'a Host header to accept beside this machine’s own', several)
    .option('--timeout <seconds>', 'most time for a request', real(0.001, 86_400))
    .option('--drain <seconds>', 'time that answers get to finish on shutdown', real(0, 3600), 30)
    .option('--data <folder>', 'where keys, limits and the ledger are kept; ":memory:" keeps none')
    .option(
      '--ledger-days <days>',
      'how long the ledger is kept; 0, the default: for ever',
      whole(0, 36_500),
    )
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
  const models = servedModels(parts, flags)
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
    ...(flags.ledgerDays === undefined ? {} : { ledgerDays: flags.ledgerDays }),
    ...(jwt ? { jwt } : {}),
    ...(flags.timeout === undefined ? {} : { timeoutMs: Math.ceil(flags.timeout * 1000) }),
    ...(flags.allowedHost ? { allowedHosts: flags.allowedHost } : {}),
    onListening: (url) => {
      told = write(io.stdout, `illuminator listens on ${url} and loads its models\n`)
      log.event('info', 'listening', { url })
    },
    onProgress: (step) => progress.report(step),
    log: log.log,
    onRequested: traced.requested,
    onAnswered: traced.answered,
    onModel: (event) => logModel(log, event),
    models,
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
    const engines = await server.ready
    progress.stop()
    for (const { info, stats } of engines) {
      const { id, weights, contextLength } = info
      const adapter = stats.adapter.name
      log.event('info', 'ready', { model: id, weights, context: contextLength, adapter })
    }
    if (engines.length === 0) log.event('info', 'ready', { models: 'loaded when asked for' })
    await write(io.stdout, banner(engines, server, flags))
  } catch (error) {
    progress.stop()
    if (!wasAsked()) log.event('fatal', 'the model could not be loaded', { error })
    throw error
  } finally {
    await server.closed
  }
}

/** Of models loaded on demand: those of the start have lines of their own. */
function logModel(log: OperatorLog, event: ModelEvent): void {
  if ('isPinned' in event && event.isPinned) return
  const { kind, id: model, ...rest } = event
  const { isPinned: _, ...facts } = { isPinned: false, ...rest }
  if (kind === 'failed') log.event('error', 'a model could not be loaded', { model, ...facts })
  else if (kind === 'too large') log.event('warn', 'the models take more than --memory', facts)
  else log.event('info', `model ${kind}`, { model, ...facts })
}

function banner(
  engines: readonly ServedEngine[],
  { url, needsKeys }: RunningServer,
  flags: Flags,
): string {
  const model = engines.length === 0 ? '"model":"<id>",' : ''
  const body = `{${model}"messages":[{"role":"user","content":"Why is the sky blue?"}],"stream":true}`
  const key = needsKeys ? " -H 'authorization: Bearer <key>'" : ''
  const reach = needsKeys
    ? 'API keys are needed: "illuminator keys create --name <name>" makes one.'
    : flags.insecure
      ? 'No API keys: everybody who can connect can use it.'
      : 'No API keys: every program on this machine can use it.'
  return [
    ...engines.map(
      ({ info, stats }) =>
        `Ready: ${info.id} (${info.weights}, context ${info.contextLength}) on ${stats.adapter.name}`,
    ),
    ...(flags.onDemand ? [`Loaded when asked for: what ${url}/v1/models lists`] : []),
    reach,
    `Try it in a browser, ${url}/, or:`,
    `  curl -N ${url}/v1/chat/completions -H 'content-type: application/json'${key} -d '${body}'`,
    '',
  ].join('\n')
}
