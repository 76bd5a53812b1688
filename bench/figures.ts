/** A named figure with its spread over repeats: what suites hand to tables and to the history. */
import type { Spread } from './statistics.ts'

export interface Figure extends Spread {
  /** Unique within a run, for instance `decode @32`. */
  readonly name: string
  readonly unit: string
  /** Repeats that the spread is over, where that says something. */
  readonly runs?: number
}
