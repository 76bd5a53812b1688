/** `bench load`: what a load takes, cold and warm. */
import type { Command } from 'commander'
import { measure, note, type Part, say } from '../measure.ts'
import { missedLine, wantedTable } from '../report/wanted-table.ts'
import { benchLoad } from '../suites/load.ts'
import { type ModelOptions, suiteCommand, withModel } from './options.ts'

export const loadCommand = (): Command =>
  withModel(suiteCommand('load', 'Pipelines with an empty shader cache, weights, tunings.')).action(
    (options: ModelOptions) => measure([loadPart], options),
  )

async function loadPart({ model, adapter, full, repeats }: ModelOptions): Promise<Part> {
  const suite = await benchLoad({ model, adapter, repeats: repeats ?? (full ? 9 : 3), note })
  say(`\n${suite.model} (${suite.weights}) on ${suite.adapter} (${suite.driver})`)
  say(`\n${wantedTable(suite.figures)}\n\n${missedLine(suite.figures)}`)
  say('\nThe greedy ids after every load were those of engine.logits after the first.')
  return {
    what: `load ${suite.model}`,
    adapter: suite.adapter,
    driver: suite.driver,
    figures: suite.figures,
    failures: [],
  }
}
