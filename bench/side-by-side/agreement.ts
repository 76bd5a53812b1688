/** Are ids those that we wrote? With the same weights they must be, except where two ids are nearly as likely. */

import type { Outcome } from './rounds.ts'

/** What our engine says of the first place where ids part. */
export interface Parting {
  /** Ids that agree before it. */
  readonly at: number
  readonly ours: number
  readonly theirs: number
}

/** The first place where both have an id and the ids differ; null where there is none. */
export function partingOf(ours: readonly number[], theirs: readonly number[]): Parting | null {
  const at = ours.findIndex((id, i) => i < theirs.length && theirs[i] !== id)
  return at < 0 ? null : { at, ours: ours[at] as number, theirs: theirs[at] as number }
}

/** Logits closer than this are a near-tie: rounding activations to 8 bits moves them as far. */
const NEAR_TIE = 1

/** @param logits ours after the ids before the parting */
export const marginOf = ({ ours, theirs }: Parting, logits: Float32Array): number =>
  (logits[ours] ?? Number.NaN) - (logits[theirs] ?? Number.NaN)

const isNearTie = (margin: number): boolean => Math.abs(margin) <= NEAR_TIE

/** In words; `margin` in logits. */
export function agreementLine(count: number, parting: Parting | null, margin: number): string {
  if (!parting) return `all ${count} ids are ours`
  const { at, ours, theirs } = parting
  const what = isNearTie(margin) ? 'a near-tie' : 'no near-tie'
  return `${at} of ${count} ids are ours, then ${theirs} for ${ours}: ${what} (${margin.toFixed(2)} logits)`
}

/** An outcome with what its ids say of it. */
export interface Judged extends Outcome {
  /** The very weights that we run. */
  readonly sameWeights: boolean
  /** Our logits' where the ids part; NaN where they do not. */
  readonly margin: number
}

/** Who computes something else from the same weights has no figure. */
export function judge(outcome: Outcome, sameWeights: boolean, margin: number): Judged {
  const judged = { ...outcome, sameWeights, margin }
  if (!sameWeights || !outcome.parting || isNearTie(margin)) return judged
  const wrong = 'its ids are not those of these weights, and no near-tie explains it'
  return { ...judged, turns: [], start: null, errors: [...outcome.errors, wrong] }
}
