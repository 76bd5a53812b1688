/** Figures beside what is wanted of them. */
import { type Figure, holds } from '../figures.ts'
import { brief, table } from './table.ts'

export function wantedTable(figures: readonly Figure[]): string {
  return table(
    ['figure', 'wanted', 'min', 'median', 'max', 'unit', 'runs', 'holds'],
    figures.map((figure) => {
      const { name, unit, runs, min, median, max, wanted } = figure
      return [
        name,
        wanted ? `${wanted.is} ${wanted.bound}` : '',
        ...[min, median, max].map(brief),
        unit,
        runs === undefined ? '' : String(runs),
        verdictOf(holds(figure)),
      ]
    }),
  )
}

/** One line: how many bounds were missed, and which. */
export function missedLine(figures: readonly Figure[]): string {
  const judged = figures.filter((figure) => holds(figure) !== null)
  const missed = judged.filter((figure) => holds(figure) === false).map(({ name }) => name)
  if (missed.length === 0) return `All ${judged.length} bounds hold, each at its median.`
  return `MISSED here: ${missed.length} of ${judged.length} bounds, each at its median: ${missed.join('; ')}.`
}

const verdictOf = (held: boolean | null): string => {
  if (held === null) return ''
  return held ? 'yes' : 'NO'
}
