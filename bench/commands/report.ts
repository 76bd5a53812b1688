/** `bench report`: what the history says. */
import { Command } from 'commander'
import { historyPlace, readRuns } from '../history.ts'
import { say } from '../measure.ts'
import { runsTable } from '../report/runs-table.ts'
import { positive } from './options.ts'

export const reportCommand = (): Command =>
  new Command('report')
    .description('The last runs side by side.')
    .option('--last <n>', 'runs to show', positive, 4)
    .action(({ last }: { last: number }) => say(runsTable(readRuns(historyPlace().file), last)))
