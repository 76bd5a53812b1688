/** `bench report`: what the history says, in the terminal and as a page. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { Command } from 'commander'
import { BenchError } from '../failure.ts'
import { historyPlace, type Run, readRuns } from '../history.ts'
import { say } from '../measure.ts'
import { comparisonTable, runsToCompare } from '../report/compare-runs.ts'
import { page } from '../report/html/page.ts'
import { runsTable } from '../report/runs-table.ts'
import { positive } from './options.ts'

interface ReportOptions {
  last: number
  html?: string | true
  compare?: string[]
}

export const reportCommand = (): Command =>
  new Command('report')
    .description('The last runs side by side, two of them, or all as a page.')
    .option('--last <n>', 'runs to show', positive, 4)
    .option('--compare <runs...>', 'two runs, by place (-1 is the last), commit or date')
    .option('--html [file]', 'a page of its own; default: report.html beside the history')
    .action(report)

/** Throws BenchError where a run is named that is not there. */
function report({ last, html, compare }: ReportOptions): void {
  const { file } = historyPlace()
  const runs = readRuns(file)
  const compared = runsToCompare(runs, compare ?? [])
  if (compare && compared) say(comparisonTable(...compared))
  else say(runsTable(runs, last))
  if (html !== undefined) {
    const target = html === true ? join(dirname(file), 'report.html') : resolve(html)
    writePage(target, runs, compared)
  }
}

function writePage(file: string, runs: readonly Run[], compared: [Run, Run] | null): void {
  if (runs.length === 0) throw new BenchError('There is nothing to draw: no run is recorded yet.')
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, page(runs, compared))
  say(`\nWritten to ${file}`)
}
