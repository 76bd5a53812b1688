/** `npm run bench`, and `illuminator bench`: how fast the kernels and a whole model are here, beside what the adapter can do. */
import { Command, InvalidArgumentError } from 'commander'
import { Engine, EngineError } from '../engine/index.ts'
import { GpuError } from '../kernels/index.ts'
import { BenchError } from './failure.ts'
import type { Figure } from './figures.ts'
import { appendRun, commitOf, historyPlace, readRuns } from './history.ts'
import { figureTable, kernelTable } from './report/figures-table.ts'
import { identityTable } from './report/identity-table.ts'
import { runsTable } from './report/runs-table.ts'
import { brief } from './report/table.ts'
import { missedLine, wantedTable } from './report/wanted-table.ts'
import { runKernels } from './run-kernels.ts'
import { benchHttp, FULL_HTTP, SHORT_HTTP } from './suites/http.ts'
import { checkIdentity, FULL_IDENTITY, SHORT_IDENTITY } from './suites/identity.ts'
import { benchModel, FULL, SHORT } from './suites/model.ts'
import { benchServing, FULL_SERVING, SHORT_SERVING } from './suites/serving.ts'

interface Options {
  model?: string
  bf16?: string
  adapter?: string
  only?: string
  allTunings?: boolean
  full?: boolean
  repeats?: number
}

/** What a suite adds to the record of a run. */
interface Part {
  readonly what: string
  readonly adapter: string
  readonly driver: string
  readonly figures: readonly Figure[]
  readonly failures: readonly string[]
}

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const note = (line: string): void => void process.stderr.write(`bench: ${line}\n`)

async function kernelsPart(options: Options): Promise<Part> {
  const suite = await runKernels({
    ...(options.adapter ? { adapter: options.adapter } : {}),
    ...(options.only ? { only: options.only } : {}),
    allTunings: options.allTunings ?? false,
    repeats: options.repeats ?? (options.full ? 15 : 7),
    note,
  })
  say(`\nKernels on ${suite.adapter} (${suite.driver})`)
  say(
    `Probes: streaming reads ${brief(suite.probes.read)} GB/s, multiply-adds ${brief(suite.probes.fma)} GFLOP/s`,
  )
  if (suite.rows.length > 0) say(`\n${kernelTable(suite.rows)}`)
  say(
    '\nEvery output was checked against its oracle. Milliseconds are those of a dispatch, its own cost included, of many in a\n' +
      'submit. Weights and KV caches came in turn from copies that no cache holds (at most 256 copies of a small one).\n' +
      '% of probes: time that the slower of reads and multiply-adds must take, over the median.',
  )
  for (const failure of suite.failures) say(`\nNO FIGURE: ${failure}`)
  return { ...suite, what: 'kernels' }
}

async function modelPart(options: Options): Promise<Part> {
  const sizes = options.full ? FULL : SHORT
  const suite = await benchModel({
    ...sizes,
    repeats: options.repeats ?? sizes.repeats,
    model: options.model,
    load: options.adapter ? { adapter: options.adapter } : {},
    note,
  })
  const { adapter, driver } = suite
  say(`\n${suite.model} (${suite.weights}) on ${adapter} (${driver})`)
  say(`${suite.dispatchesPerToken} dispatches a token\n\n${figureTable(suite.figures)}`)
  say('\nThe greedy ids were equal in every repeat and to those of one run of engine.logits.')
  return { what: `model ${suite.model}`, adapter, driver, figures: suite.figures, failures: [] }
}

async function servingPart(options: Options): Promise<Part> {
  const lengths = options.full ? FULL_SERVING : SHORT_SERVING
  const suite = await benchServing({
    ...lengths,
    repeats: options.repeats ?? lengths.repeats,
    model: options.model,
    bf16: options.bf16,
    load: options.adapter ? { adapter: options.adapter } : {},
    note,
  })
  const { adapter, driver, figures } = suite
  say(`\n${suite.model} (${suite.weights}), serving, on ${adapter} (${driver})`)
  say(`\n${wantedTable(figures)}\n\n${missedLine(figures)}`)
  say('Every repeat brought the ids of the same prompts alone, cold, undisturbed, without drafts.')
  return { what: `serving ${suite.model}`, adapter, driver, figures, failures: [] }
}

async function httpPart(options: Options): Promise<Part> {
  const lengths = options.full ? FULL_HTTP : SHORT_HTTP
  const suite = await benchHttp({
    ...lengths,
    repeats: options.repeats ?? lengths.repeats,
    model: options.model,
    load: options.adapter ? { adapter: options.adapter } : {},
    note,
  })
  const { adapter, driver, figures } = suite
  say(`\n${suite.model} (${suite.weights}), over HTTP, on ${adapter} (${driver})`)
  say(`\n${wantedTable(figures)}\n\n${missedLine(figures)}`)
  say('Every repeat brought the same texts both ways.')
  return { what: `http ${suite.model}`, adapter, driver, figures, failures: [] }
}

/** Nothing of it is a speed: it is not recorded. Throws BenchError where an id differs or a condition did not come about. */
async function identity(options: Options): Promise<void> {
  const report = await checkIdentity({
    ...(options.full ? FULL_IDENTITY : SHORT_IDENTITY),
    load: (more) =>
      Engine.load(options.model, {
        ...(options.adapter ? { adapter: options.adapter } : {}),
        ...more,
      }),
    note,
  })
  const { model, weights, adapter, driver, differences, missed, ids } = report
  say(`\n${model} (${weights}), the same ids whatever the company, on ${adapter} (${driver})`)
  say(`\n${identityTable(report)}\n\n${differences} differences in ${ids} ids.`)
  if (differences > 0) throw new BenchError(`${differences} of ${ids} ids depend on the company.`)
  if (missed > 0) throw new BenchError(`Conditions did not come about ${missed} times.`)
}

/** Runs suites one after another, records what they measured, and fails when a figure was refused. */
async function measure(parts: readonly ((options: Options) => Promise<Part>)[], options: Options) {
  const done: Part[] = []
  for (const part of parts) done.push(await part(options))
  const { file, checkout } = historyPlace()
  const [{ adapter, driver }] = done as [Part]
  appendRun(file, {
    date: new Date().toISOString(),
    ...commitOf(checkout),
    adapter,
    driver,
    node: process.versions.node,
    what: done.map(({ what }) => what),
    figures: done.flatMap(({ figures }) => figures),
  })
  say(
    `\nRecorded in ${file}; "${checkout ? 'npm run bench --' : 'illuminator bench'} report" compares runs.`,
  )
  const refused = done.flatMap(({ failures }) => failures).length
  if (refused > 0) throw new BenchError(`${refused} kernels got no figure (see above).`)
}

function positive(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value > 0) return value
  throw new InvalidArgumentError('it must be a whole number above 0.')
}

const ADAPTER = 'auto, gpu, lavapipe, swiftshader, or part of a name'

function suiteCommand(name: string, summary: string): Command {
  return new Command(name)
    .description(summary)
    .option('--adapter <name>', ADAPTER)
    .option('--full', 'more sizes and repeats')
    .option('--repeats <n>', 'timed repeats', positive)
}

const withKernels = (command: Command): Command =>
  command
    .option('--only <text>', 'kernels and shapes with this text in their name')
    .option('--all-tunings', 'every valid tuning, not only the one the engine takes')

const withModel = (command: Command): Command =>
  command.option('--model <id or folder>', 'default: the default model')

function program(): Command {
  const bench = withModel(withKernels(suiteCommand('bench', 'Times kernels and the model.')))
    .action((options: Options) => measure([kernelsPart, modelPart], options))
    .addCommand(
      withKernels(suiteCommand('kernels', 'Each declared kernel beside the probes.')).action(
        (options: Options) => measure([kernelsPart], options),
      ),
    )
    .addCommand(
      withModel(suiteCommand('model', 'Prefill, decode, first token and load.')).action(
        (options: Options) => measure([modelPart], options),
      ),
    )
    .addCommand(
      withModel(suiteCommand('serving', 'Many at once, prefixes, admission, event loops, drafts.'))
        .option('--bf16 <folder>', "the model's BF16 form; default: written for the run")
        .action((options: Options) => measure([servingPart], options)),
    )
    .addCommand(
      withModel(suiteCommand('http', 'The engine over HTTP beside the engine alone.')).action(
        (options: Options) => measure([httpPart], options),
      ),
    )
    .addCommand(
      withModel(new Command('identity'))
        .description('Are ids the same whatever the company? Compares, times nothing.')
        .option('--adapter <name>', ADAPTER)
        .option('--full', 'more prompts')
        .action(identity),
    )
    .addCommand(
      new Command('report')
        .description('The last runs side by side.')
        .option('--last <n>', 'runs to show', positive, 4)
        .action(({ last }: { last: number }) =>
          say(runsTable(readRuns(historyPlace().file), last)),
        ),
    )
  return bench.enablePositionalOptions().showHelpAfterError('(add --help for the options)')
}

try {
  await program().parseAsync(process.argv.slice(2), { from: 'user' })
} catch (error) {
  const expected = [BenchError, EngineError, GpuError].some((type) => error instanceof type)
  if (!expected || !(error instanceof Error)) throw error
  process.stderr.write(`bench: ${error.message.replace(/\s*\n\s*/g, ' ')}\n`)
  process.exitCode = 1
}
