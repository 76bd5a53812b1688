/** `bench model`: tokens a second of a whole model. */
import type { Command } from 'commander'
import { measure, note, type Part, say } from '../measure.ts'
import { missedLine, wantedTable } from '../report/wanted-table.ts'
import { benchModel, FULL, SHORT } from '../suites/model.ts'
import { type ModelOptions, suiteCommand, withModel } from './options.ts'

export const modelCommand = (): Command =>
  withModel(suiteCommand('model', 'Prefill, decode, first token and load.')).action(
    (options: ModelOptions) => measure([modelPart], options),
  )

export async function modelPart(options: ModelOptions): Promise<Part> {
  const sizes = options.full ? FULL : SHORT
  const suite = await benchModel({
    ...sizes,
    repeats: options.repeats ?? sizes.repeats,
    model: options.model,
    adapter: options.adapter,
    note,
  })
  const { adapter, driver } = suite
  say(`\n${suite.model} (${suite.weights}) on ${adapter} (${driver})`)
  say(
    `${suite.dispatchesPerToken} dispatches a token\n\n${wantedTable(suite.figures)}\n\n${missedLine(suite.figures)}`,
  )
  say('\nThe greedy ids were equal in every repeat and to those of one run of engine.logits.')
  return { what: `model ${suite.model}`, adapter, driver, figures: suite.figures, failures: [] }
}
