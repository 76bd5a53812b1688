/** A named figure with its spread over repeats: what suites hand to tables and to the history. */
import type { Spread } from './statistics.ts'

/** A bound that a figure should keep, at its median. */
export interface Wanted {
  readonly is: '>=' | '<=' | '<'
  readonly bound: number
}

export interface Figure extends Spread {
  /** Unique within a run, for instance `decode @32`. */
  readonly name: string
  readonly unit: string
  /** Repeats that the spread is over, where that says something. */
  readonly runs?: number
  readonly wanted?: Wanted
}

/** Whether the median keeps the bound; null where nothing is wanted. */
export function holds({ median, wanted }: Figure): boolean | null {
  if (!wanted) return null
  if (wanted.is === '>=') return median >= wanted.bound
  return wanted.is === '<' ? median < wanted.bound : median <= wanted.bound
}
