/** `bench http`: the engine over HTTP beside the engine alone. */
import type { Command } from 'commander'
import { measure, note, type Part, say } from '../measure.ts'
import { missedLine, wantedTable } from '../report/wanted-table.ts'
import { benchHttp, FULL_HTTP, SHORT_HTTP } from '../suites/http.ts'
import { type ModelOptions, onAdapter, suiteCommand, withModel } from './options.ts'

export const httpCommand = (): Command =>
  withModel(suiteCommand('http', 'The engine over HTTP beside the engine alone.')).action(
    (options: ModelOptions) => measure([httpPart], options),
  )

async function httpPart(options: ModelOptions): Promise<Part> {
  const lengths = options.full ? FULL_HTTP : SHORT_HTTP
  const suite = await benchHttp({
    ...lengths,
    repeats: options.repeats ?? lengths.repeats,
    model: options.model,
    load: onAdapter(options),
    note,
  })
  const { adapter, driver, figures } = suite
  say(`\n${suite.model} (${suite.weights}), over HTTP, on ${adapter} (${driver})`)
  say(`\n${wantedTable(figures)}\n\n${missedLine(figures)}`)
  say('Every repeat brought the same texts both ways.')
  return { what: `http ${suite.model}`, adapter, driver, figures, failures: [] }
}
