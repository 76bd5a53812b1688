/** `bench quantize`: how fast weights are quantized on load. */
import type { Command } from 'commander'
import { measure, note, type Part, say } from '../measure.ts'
import { missedLine, wantedTable } from '../report/wanted-table.ts'
import { benchQuantize } from '../suites/quantize.ts'
import { type ModelOptions, suiteCommand, withModel } from './options.ts'

export const quantizeCommand = (): Command =>
  withModel(
    suiteCommand('quantize', 'Loading a BF16, F16 or F32 model, quantized and not.'),
  ).action((options: ModelOptions) => measure([quantizePart], options))

async function quantizePart(options: ModelOptions): Promise<Part> {
  const suite = await benchQuantize({
    model: options.model,
    adapter: options.adapter,
    types: options.full
      ? ['int4', 'int4/64', 'int4/128', 'int8', 'int8/64', 'int8/128']
      : ['int4', 'int8'],
    repeats: options.repeats ?? (options.full ? 9 : 5),
    note,
  })
  const { model, weights, adapter, driver, figures } = suite
  say(`\n${model} (${weights}), its weights quantized on load, on ${adapter} (${driver})`)
  say(`\n${wantedTable(figures)}\n\n${missedLine(figures)}`)
  say(
    '\nA matrix of each type was the oracle’s, bit for bit. Megabytes are those of the checkpoint.',
  )
  return { what: `quantize ${model}`, adapter, driver, figures, failures: [] }
}
