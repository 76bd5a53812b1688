/** `illuminator doctor`: what this machine offers, what was chosen and why, and whether a model runs on it; and the server. */
import type { Command } from 'commander'
import { EngineError } from '../../engine/errors.ts'
import type { AdapterReport } from '../../kernels/index.ts'
import { decodeRate, follow } from '../answer.ts'
import { applyClientSettings } from '../client/effective.ts'
import { addServer, type ServerFlags } from '../client/options.ts'
import { CommandError } from '../exit.ts'
import { stderrColors, write } from '../io.ts'
import { addLoading, type LoadFlags, loadingFrom, modelName } from '../options.ts'
import { type Deps, untilInterrupted, withEngine } from '../session.ts'
import { cliVersion } from '../version.ts'

interface Flags extends LoadFlags, ServerFlags {
  json?: boolean
  selfTest: boolean
}

/** The server that is configured, if one is. */
type ServerCheck =
  | { url: string; answers: true; models: string[] }
  | { url: string; answers: false; reason: string }

/** Outcome of the self-test: passed with figures, or not run or failed with a reason. */
type SelfTest =
  | {
      passed: true
      model: string
      adapter: string
      tokens: number
      tokens_per_second: number | null
      buffer_bytes: Readonly<Record<string, number>>
      buffer_bytes_total: number
    }
  | { passed: false; skipped: boolean; reason: string }

export function addDoctor(program: Command, deps: Deps): void {
  const command = program
    .command('doctor')
    .description('show adapters, limits, a self-test, and whether the configured server answers')
  addServer(addLoading(command), 'look at this server, too')
    .option('--no-self-test', 'do not run a model')
    .option('--json', 'print JSON')
    // A check must not fetch a model because one is configured.
    .hook('preAction', () => applyClientSettings(command, deps.io.env, ['model']))
    .action((flags: Flags) => doctor(deps, flags))
}

async function doctor(deps: Deps, flags: Flags): Promise<void> {
  const model = modelName(flags.model)
  const adapters = await deps.parts.listAdapters(flags.adapter)
  const usable = adapters.some(({ chosen }) => chosen)
  const selfTest = await (flags.selfTest && usable
    ? runSelfTest(deps, model, flags)
    : notRun(usable ? 'switched off by --no-self-test' : 'no usable adapter'))
  const server = await checkServer(deps, flags)
  const host = {
    version: cliVersion(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
  }
  const body = flags.json
    ? `${JSON.stringify({ ...host, adapters, self_test: selfTest, server }, null, 2)}\n`
    : text(deps, host, adapters, selfTest, server)
  await write(deps.io.stdout, body)
  if (!usable) throw new EngineError('gpu', 'this machine has no adapter that works; see above')
  if (!selfTest.passed && !selfTest.skipped) {
    throw new EngineError('gpu', `the self-test failed: ${selfTest.reason}`)
  }
  if (server?.answers === false) throw new CommandError(server.reason)
}

async function checkServer({ io }: Deps, flags: Flags): Promise<ServerCheck | null> {
  const { url } = flags
  if (url === undefined) return null
  const [{ serverOf }, { modelCards }] = await Promise.all([
    import('../backend/server-of.ts'),
    import('../backend/remote.ts'),
  ])
  try {
    const server = serverOf(io, { ...flags, url })
    const { data } = await untilInterrupted(io, (signal) => modelCards(server, signal))
    return { url, answers: true, models: data.map(({ id }) => id) }
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    return { url, answers: false, reason: error.message }
  }
}

const notRun = async (reason: string): Promise<SelfTest> => ({
  passed: false,
  skipped: true,
  reason,
})

/** Runs a few tokens of a model that is here already: a check of the machine must not download anything. */
async function runSelfTest(deps: Deps, asked: string | undefined, flags: Flags): Promise<SelfTest> {
  const model = asked ?? (await installedModel(deps))
  if (model === undefined) {
    return notRun('no model is installed; "illuminator models download" fetches the default one')
  }
  try {
    return await withEngine(deps, model, loadingFrom(flags), async (engine, signal) => {
      const options = { maxTokens: 8, temperature: 0, ignoreEos: true, signal }
      const answered = await follow(engine.generate('Once upon a time', options), () => {})
      const { adapter, memory } = engine.stats
      return {
        passed: true,
        model: engine.info.id,
        adapter: adapter.name,
        tokens: answered.usage?.completionTokens ?? 0,
        tokens_per_second: decodeRate(answered),
        buffer_bytes: memory.byPurpose,
        buffer_bytes_total: memory.total,
      }
    })
  } catch (error) {
    if (!(error instanceof Error) || error.name === 'Interrupted') throw error
    return { passed: false, skipped: false, reason: error.message }
  }
}

async function installedModel({ parts }: Deps): Promise<string | undefined> {
  const { DEFAULT_MODEL, listModels } = await parts.hub()
  const ids = (await listModels()).map(({ id }) => id)
  return ids.includes(DEFAULT_MODEL) ? DEFAULT_MODEL : ids[0]
}

function text(
  { io }: Deps,
  host: { version: string; node: string; platform: string },
  adapters: readonly AdapterReport[],
  selfTest: SelfTest,
  server: ServerCheck | null,
): string {
  const { bold } = stderrColors({ ...io, stderr: io.stdout })
  const lines = [
    `illuminator ${host.version}, Node ${host.node}, ${host.platform}`,
    '',
    bold('Adapters'),
  ]
  if (adapters.length === 0) lines.push('  none')
  for (const adapter of adapters) lines.push(...adapterLines(adapter))
  lines.push('', bold('Self-test'), ...selfTestLines(selfTest))
  if (server) lines.push('', bold('Server'), serverLine(server))
  return `${lines.join('\n')}\n`
}

const serverLine = (server: ServerCheck): string =>
  server.answers
    ? `  ${server.url} has ${server.models.join(', ') || 'no model'}`
    : `  FAILED: ${server.reason}`

/** Those that decide what our kernels can do; `--json` has all. */
const COMPUTE_LIMITS = /^max(Buffer|Storage|Compute|BindGroups$|Immediate)|ubgroup/

function adapterLines(adapter: AdapterReport): string[] {
  const mark = adapter.chosen ? '*' : ' '
  const title = [adapter.driver, adapter.name, adapter.vendor].filter(Boolean).join(', ')
  const lines = [
    `${mark} ${title}`,
    `    ${[adapter.chosen ? 'chosen' : 'not chosen', adapter.reason].filter(Boolean).join(': ')}`,
  ]
  if (adapter.error) lines.push(`    why: ${adapter.error}`)
  if (adapter.features.length > 0) lines.push(`    features: ${adapter.features.join(', ')}`)
  const limits = Object.entries(adapter.limits)
    .filter(([name]) => COMPUTE_LIMITS.test(name))
    .map(([name, value]) => `${name} ${value}`)
  if (limits.length > 0) lines.push(`    limits: ${limits.join(', ')}`)
  return lines
}

function selfTestLines(test: SelfTest): string[] {
  if (!test.passed) return [`  ${test.skipped ? 'not run' : 'FAILED'}: ${test.reason}`]
  const rate =
    test.tokens_per_second === null ? '' : `, ${test.tokens_per_second.toFixed(1)} tokens/s`
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`
  return [
    `  passed: ${test.model} made ${test.tokens} tokens on ${test.adapter}${rate}`,
    `  live GPU buffers: ${megabytes(test.buffer_bytes_total)}`,
    ...Object.entries(test.buffer_bytes).map(
      ([purpose, bytes]) => `    ${purpose}: ${megabytes(bytes)}`,
    ),
  ]
}
