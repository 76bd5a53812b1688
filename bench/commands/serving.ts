/** `bench serving`: many requests at once, shared prefixes, admission, event loops, drafts. */
import type { Command } from 'commander'
import { measure, note, type Part, say } from '../measure.ts'
import { missedLine, wantedTable } from '../report/wanted-table.ts'
import { benchServing, FULL_SERVING, SHORT_SERVING } from '../suites/serving.ts'
import { type ModelOptions, onAdapter, suiteCommand, withModel } from './options.ts'

interface ServingOptions extends ModelOptions {
  bf16?: string
}

export const servingCommand = (): Command =>
  withModel(suiteCommand('serving', 'Many at once, prefixes, admission, event loops, drafts.'))
    .option('--bf16 <folder>', "the model's BF16 form; default: written for the run")
    .action((options: ServingOptions) => measure([servingPart], options))

async function servingPart(options: ServingOptions): Promise<Part> {
  const lengths = options.full ? FULL_SERVING : SHORT_SERVING
  const suite = await benchServing({
    ...lengths,
    repeats: options.repeats ?? lengths.repeats,
    model: options.model,
    bf16: options.bf16,
    load: onAdapter(options),
    note,
  })
  const { adapter, driver, figures } = suite
  say(`\n${suite.model} (${suite.weights}), serving, on ${adapter} (${driver})`)
  say(`\n${wantedTable(figures)}\n\n${missedLine(figures)}`)
  say('Every repeat brought the ids of the same prompts alone, cold, undisturbed, without drafts.')
  return { what: `serving ${suite.model}`, adapter, driver, figures, failures: [] }
}
