/**
 * Is a kernel slower, or is the machine busy? Decided by times taken in pairs, before and now in turns: the median of the
 * pairs' ratios must be beyond a threshold, and so must what is known of it: an interval from the order of the ratios alone,
 * which asks nothing of how the noise is distributed (a sign test, turned round).
 */
import { type Spread, spreadOf } from '../statistics.ts'

/** Times of one pair, in any unit. */
export interface Pair {
  readonly before: number
  readonly now: number
}

/** `open`: the noise of so many pairs is too large to say. */
export type Verdict = 'slower' | 'faster' | 'same' | 'open'

export interface Judgement {
  /** `now / before` of the pairs. */
  readonly ratio: Spread
  /** In which the true median is, all but surely. */
  readonly interval: readonly [low: number, high: number]
  readonly verdict: Verdict
}

/** Change of the median that counts. */
export const THRESHOLD = 0.1
/** Chance that the true median lies above the interval, and as much that it lies below. */
const CHANCE = 0.002

/** Throws RangeError on no pairs. */
export function judge(pairs: readonly Pair[], threshold = THRESHOLD): Judgement {
  const ratios = pairs.map(({ before, now }) => now / before)
  const ratio = spreadOf(ratios)
  const interval = intervalOf(ratios)
  return { ratio, interval, verdict: verdictOf(ratio.median, interval, 1 + threshold) }
}

function verdictOf(median: number, [low, high]: Judgement['interval'], bound: number): Verdict {
  if (low > 1 && median > bound) return 'slower'
  if (high < 1 && median < 1 / bound) return 'faster'
  return low > 1 / bound && high < bound ? 'same' : 'open'
}

/** Of the median: from the k-th smallest to the k-th largest value, k as large as chance allows. */
function intervalOf(values: readonly number[]): Judgement['interval'] {
  const sorted = [...values].sort((a, b) => a - b)
  const { length } = sorted
  let k = 0
  while (k < length / 2 && chanceOf(length - k, length) < CHANCE) k++
  return [sorted[k - 1] ?? 0, sorted[length - k] ?? Number.POSITIVE_INFINITY]
}

/** Probability that a fair coin falls on one side at least `heads` of `tosses` times. */
export function chanceOf(heads: number, tosses: number): number {
  let ways = 1
  let sum = 0
  for (let k = 0; k <= tosses; k++) {
    if (k >= heads) sum += ways
    ways = (ways * (tosses - k)) / (k + 1)
  }
  return sum / 2 ** tosses
}
