/** The last runs side by side: one line a figure, one column a run, and the change to the run before. */
import type { Figure } from '../figures.ts'
import type { Run } from '../history.ts'
import { brief, table } from './table.ts'

/** Only runs of one adapter compare: those of the last run's. `none` when there is no run. */
export function runsTable(runs: readonly Run[], columns: number): string {
  const last = runs.at(-1)
  if (!last) return 'No run is recorded yet: "npm run bench" makes one.'
  const shown = runs
    .filter((run) => run.adapter === last.adapter && run.driver === last.driver)
    .slice(-columns)
  const names = [...new Set(shown.flatMap((run) => run.figures.map(keyOf)))]
  const rows = names.map((name) => {
    const medians = shown.map((run) => run.figures.find((one) => keyOf(one) === name)?.median)
    return [
      name,
      ...medians.map((value) => (value === undefined ? '–' : brief(value))),
      changeOf(medians),
    ]
  })
  const head = ['median', ...shown.map(titleOf), 'change']
  return `${last.adapter} (${last.driver}), ${shown.length} of ${runs.length} runs\n\n${table(head, rows)}`
}

const keyOf = ({ name, unit }: Figure): string => `${name}, ${unit}`

const titleOf = ({ commit, changed, date }: Run): string =>
  `${commit?.slice(0, 7) ?? 'no commit'}${changed ? '+' : ''} ${date.slice(5, 16).replace('T', ' ')}`

/** From the last but one value to the last, in percent. */
function changeOf(values: readonly (number | undefined)[]): string {
  const [before, now] = values.filter((value) => value !== undefined).slice(-2)
  if (!before || now === undefined || values.at(-1) === undefined) return ''
  const percent = (now / before - 1) * 100
  return `${percent >= 0 ? '+' : ''}${percent.toFixed(1)} %`
}
