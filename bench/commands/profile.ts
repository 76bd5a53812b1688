/** `bench profile`: where a token's time goes. */
import type { Command } from 'commander'
import type { Figure } from '../figures.ts'
import { measure, note, type Part, say } from '../measure.ts'
import { profileTable } from '../report/profile-table.ts'
import { brief } from '../report/table.ts'
import { missedLine, wantedTable } from '../report/wanted-table.ts'
import { type Profile, profile } from '../suites/profile.ts'
import { type ModelOptions, positive, suiteCommand, withModel } from './options.ts'

interface ProfileCommandOptions extends ModelOptions {
  context: number
  prefill?: boolean
  differencing?: boolean
}

export const profileCommand = (): Command =>
  withModel(suiteCommand('profile', "Where a token's time goes: kernels, encode, wait."))
    .option('--context <tokens>', 'of the prompt before the token', positive, 32)
    .option('--prefill', 'a step of the prompt instead of a decoded token')
    .option('--differencing', "time by leaving kernels out, not by the adapter's clock")
    .action((options: ProfileCommandOptions) => measure([profilePart], options))

async function profilePart(options: ProfileCommandOptions): Promise<Part> {
  const found = await profile({
    model: options.model,
    adapter: options.adapter,
    context: options.context,
    tokens: options.full ? 64 : 24,
    repeats: options.repeats ?? (options.full ? 25 : 9),
    prefill: options.prefill ?? false,
    differencing: options.differencing ?? false,
    note,
  })
  const { model, weights, adapter, driver, method, rows, host } = found
  const what = options.prefill ? `${rows} rows of a prompt` : 'a decoded token'
  say(`\n${model} (${weights}), ${what} at ${options.context}, on ${adapter} (${driver})`)
  say(
    `Probes: streaming reads ${brief(found.probes.read)} GB/s, multiply-adds ${brief(found.probes.fma)} GFLOP/s`,
  )
  say(`\n${profileTable(found)}\n`)
  say(EXPLAINED[method])
  say(`\n${wantedTable(host)}\n\n${missedLine(host)}`)
  say(
    'Both runs brought the same greedy ids. The token was decoded in this thread, not in a worker.',
  )
  return {
    what: `profile ${model}`,
    adapter,
    driver,
    figures: figuresOf(found, what),
    failures: [],
  }
}

const EXPLAINED = {
  timestamps:
    "Kernels by the adapter's clock, each dispatch in a pass of its own: their sum exceeds the step by what passes cost.",
  differencing:
    'Kernels by difference: the step less the same step without them, in turns. What overlaps counts for nobody.',
}

function figuresOf({ kernels, step, ofRoofline, host }: Profile, what: string): Figure[] {
  const of = { min: ofRoofline, median: ofRoofline, max: ofRoofline }
  return [
    ...kernels.map(({ name, us }) => ({ name: `profile, ${what}: ${name}`, unit: 'µs', ...us })),
    { name: `profile, ${what}: step`, unit: 'ms', ...step },
    { name: `profile, ${what}: step of probes`, unit: '%', ...of },
    ...host,
  ]
}
