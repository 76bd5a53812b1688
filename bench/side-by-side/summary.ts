/** Turns → figures: speeds of both, and the ratio ours over theirs turn by turn, beside what is wanted of it. */
import type { Figure, Wanted } from '../figures.ts'
import { spreadOf } from '../statistics.ts'
import type { Outcome, Turn } from './rounds.ts'

/** What is wanted of ours over theirs. */
export interface Aims {
  readonly alone: number
  readonly many: number
  /** Of prompts: GPU peers only. */
  readonly prompts: number | null
  /** From a start that found no compiled shader to the first ids: GPU peers only. */
  readonly start: number | null
}

/** ≥ 5 × every peer on the same adapter; CPU engines are what this silicon can do. */
export const AIMS: Readonly<Record<'gpu' | 'cpu', Aims>> = {
  gpu: { alone: 5, many: 5, prompts: 5, start: 5 },
  cpu: { alone: 0.7, many: 1, prompts: null, start: null },
}

/** Names begin with the peer's, ours with `ours beside` it, so that they are unique in a run. */
export function figuresOf({ name, turns, start }: Outcome, aims: Aims): Figure[] {
  const names = [...new Set(turns.flatMap(({ theirs }) => Object.keys(theirs)))]
  const rates = names.flatMap((what): Figure[] => {
    const pairs = turns.filter(({ ours, theirs }) => isFigure(ours[what]) && isFigure(theirs[what]))
    if (pairs.length === 0) return []
    const runs = pairs.length
    const side = (of: keyof Turn): number[] => pairs.map((pair) => pair[of][what] as number)
    const ratios = pairs.map(
      ({ ours, theirs }) => (ours[what] as number) / (theirs[what] as number),
    )
    return [
      { name: `${name}: ${what}`, unit: 'tokens/s', runs, ...spreadOf(side('theirs')) },
      {
        name: `ours beside it: ${what}, ${name}`,
        unit: 'tokens/s',
        runs,
        ...spreadOf(side('ours')),
      },
      {
        name: `ours / ${name}: ${what}`,
        unit: 'x',
        runs,
        ...spreadOf(ratios),
        ...wantedOf(what, aims),
      },
    ]
  })
  return start ? [...rates, ...startFigures(name, start, aims)] : rates
}

/** Seconds: theirs over ours, so that more is better here too. */
function startFigures(
  name: string,
  { ours, theirs }: NonNullable<Outcome['start']>,
  aims: Aims,
): Figure[] {
  const one = (what: string, unit: string, value: number): Figure => {
    return { name: what, unit, runs: 1, min: value, median: value, max: value }
  }
  return [
    one(`${name}: start to first ids`, 's', theirs),
    one(`ours beside it: start to first ids, ${name}`, 's', ours),
    {
      ...one(`ours / ${name}: start to first ids`, 'x', theirs / ours),
      ...(aims.start === null ? {} : { wanted: { is: '>=', bound: aims.start } }),
    },
  ]
}

function wantedOf(what: string, { alone, many, prompts }: Aims): { wanted?: Wanted } {
  const bound = what.startsWith('prefill') ? prompts : what.includes('at once') ? many : alone
  return bound === null ? {} : { wanted: { is: '>=', bound } }
}

const isFigure = (value: number | undefined): boolean => Number.isFinite(value)
