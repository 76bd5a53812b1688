/** Two runs figure by figure: the ratio, the noise of both, and what is worse or better beyond it. */
import { BenchError } from '../failure.ts'
import type { Figure } from '../figures.ts'
import type { Run } from '../history.ts'
import { brief, table } from './table.ts'

export interface Compared {
  readonly name: string
  readonly unit: string
  readonly before: number
  readonly now: number
  /** `now / before`, of the medians. */
  readonly ratio: number
  /** Widest spread of both, (max − min) / median, in percent. */
  readonly noise: number
  /** Beyond noise: the spreads do not touch. */
  readonly verdict: 'worse' | 'better' | 'same'
}

/** Of these units less is better; of others more. */
const TIMES = new Set(['s', 'ms', 'µs', 'ns'])

export function compareRuns(before: Run, now: Run): Compared[] {
  return now.figures.flatMap((figure) => {
    const old = before.figures.find(
      ({ name, unit }) => name === figure.name && unit === figure.unit,
    )
    return old && old.median !== 0 ? [compared(old, figure)] : []
  })
}

function compared(before: Figure, now: Figure): Compared {
  const { name, unit } = now
  const noiseOf = ({ min, median, max }: Figure): number => ((max - min) / Math.abs(median)) * 100
  const rose = now.min > before.max
  const fell = now.max < before.min
  const isTime = TIMES.has(unit)
  const isSaid = hasNoise(before) && hasNoise(now)
  const worse = isSaid && (isTime ? rose : fell)
  const better = isSaid && (isTime ? fell : rose)
  return {
    name,
    unit,
    before: before.median,
    now: now.median,
    ratio: now.median / before.median,
    noise: Math.max(noiseOf(before), noiseOf(now)),
    verdict: worse ? 'worse' : better ? 'better' : 'same',
  }
}

/** A single value says nothing of its noise, so nothing is beyond it. */
const hasNoise = ({ min, max }: Figure): boolean => max > min

/** The runs that `--compare` names, or the last two that have figures in common on one adapter. Throws BenchError. */
export function runsToCompare(runs: readonly Run[], named: readonly string[]): [Run, Run] | null {
  if (named.length > 0) {
    const [before = '', now = '-1'] = named
    return [chooseRun(runs, before), chooseRun(runs, now)]
  }
  const last = runs.at(-1)
  const before = runs.slice(0, -1).findLast((run) => last && comparable(run, last))
  return last && before ? [before, last] : null
}

const comparable = (a: Run, b: Run): boolean =>
  a.adapter === b.adapter && a.driver === b.driver && compareRuns(a, b).length > 0

/** By place (1 is the oldest, -1 the last), by the beginning of its commit, or of its date. Throws BenchError. */
export function chooseRun(runs: readonly Run[], named: string): Run {
  const byPlace = /^-?\d{1,5}$/.test(named) ? runs.at(placeOf(Number(named))) : undefined
  const found =
    byPlace ??
    runs.findLast(({ commit, date }) => commit?.startsWith(named) || date.startsWith(named))
  if (found && named !== '') return found
  throw new BenchError(
    `No run is called "${named}": name one by its place (1 to ${runs.length}, or -1 for the last), commit or date.`,
  )
}

const placeOf = (number: number): number => (number > 0 ? number - 1 : number)

export const titleOf = ({ commit, changed, date }: Run): string =>
  `${commit?.slice(0, 7) ?? 'no commit'}${changed ? '+' : ''} ${date.slice(0, 16).replace('T', ' ')}`

export function comparisonTable(before: Run, now: Run): string {
  const rows = compareRuns(before, now).map((one) => [
    `${one.name}, ${one.unit}`,
    ...[one.before, one.now].map(brief),
    one.ratio.toFixed(3),
    `${one.noise.toFixed(0)} %`,
    one.verdict === 'same' ? '' : one.verdict.toUpperCase(),
  ])
  return table(['median', titleOf(before), titleOf(now), 'ratio', 'noise', ''], rows)
}
