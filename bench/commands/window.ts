/** `bench window`: what a token costs far past a sliding window. */
import type { Command } from 'commander'
import { measure, note, type Part, say } from '../measure.ts'
import { missedLine, wantedTable } from '../report/wanted-table.ts'
import { benchWindow } from '../suites/window.ts'
import { type SuiteOptions, suiteCommand } from './options.ts'

export const windowCommand = (): Command =>
  suiteCommand('window', 'Decoding at four times a sliding window, beside twice.').action(
    (options: SuiteOptions) => measure([windowPart], options),
  )

async function windowPart(options: SuiteOptions): Promise<Part> {
  const { adapter, driver, figures } = await benchWindow({
    adapter: options.adapter,
    window: options.full ? 1024 : 256,
    tokens: options.full ? 128 : 64,
    repeats: options.repeats ?? (options.full ? 15 : 9),
    note,
  })
  say(`\nA small random Mistral, with a window and without, on ${adapter} (${driver})`)
  say(`\n${wantedTable(figures)}\n\n${missedLine(figures)}`)
  return { what: 'window', adapter, driver, figures, failures: [] }
}
