/** Minimum, median and maximum of repeats: what every figure of the bench consists of. */

export interface Spread {
  readonly min: number
  readonly median: number
  readonly max: number
}

/** Of at least one value; the median of an even number is the mean of the middle two. Throws RangeError on none. */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('no values: a figure needs at least one repeat.')
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  const lower = sorted[Math.ceil(middle) - 1] as number
  const upper = sorted[Math.floor(middle)] as number
  return {
    min: sorted[0] as number,
    median: (lower + upper) / 2,
    max: sorted.at(-1) as number,
  }
}

/** Applies a falling or rising function to a spread: time to rate, for instance. */
export function mapSpread(spread: Spread, change: (value: number) => number): Spread {
  return spreadOf([change(spread.min), change(spread.median), change(spread.max)])
}

/** The smallest value that `share` of all values do not exceed (nearest rank). Throws RangeError on none. */
export function percentileOf(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError('no values: a percentile needs at least one.')
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number
}
