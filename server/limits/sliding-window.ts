/**
 * How much was used within the last minute, or hour. Time is cut into sixty buckets; a bucket counts until even its
 * youngest use is older than the window. So there is never more than the limit within any window, wherever it begins,
 * and what was used comes back a sixtieth of a window late at most. (A fixed window lets twice the limit through
 * around its border; a token bucket does in its first window.)
 */

const BUCKETS = 60
/** Kept, though they count no more: a clock that jumps ahead and comes back gives no new allowance. */
const MOST_KEPT = 3 * BUCKETS

export class SlidingWindow {
  readonly #width: number
  /** Bucket → used in it. At most `BUCKETS + 1` of them count. */
  readonly #used = new Map<number, number>()

  /** @param span its length in milliseconds */
  constructor(span: number) {
    this.#width = span / BUCKETS
  }

  /** The bucket of a moment. */
  bucketOf(now: number): number {
    return Math.floor(now / this.#width)
  }

  /** The oldest bucket that still counts. */
  oldestOf(now: number): number {
    return this.bucketOf(now) - BUCKETS
  }

  /** Adds to a bucket; a negative amount gives back. What is given back too late has come back by itself. */
  add(bucket: number, amount: number): void {
    const sum = (this.#used.get(bucket) ?? 0) + amount
    if (sum > 0) this.#used.set(bucket, sum)
    else this.#used.delete(bucket)
    if (this.#used.size > MOST_KEPT) this.#used.delete(Math.min(...this.#used.keys()))
  }

  used(now: number): number {
    return this.#counting(now).reduce((sum, [, used]) => sum + used, 0)
  }

  /** When, in epoch milliseconds, at most `most` of what is used now still counts. */
  fallsTo(most: number, now: number): number {
    let left = this.used(now)
    if (left <= most) return now
    for (const [bucket, used] of this.#counting(now).sort(([a], [b]) => a - b)) {
      left -= used
      if (left <= most) return (bucket + BUCKETS + 1) * this.#width
    }
    return now
  }

  /** Neither what is too old, nor what a clock that was put back has left in the far future. */
  #counting(now: number): [bucket: number, used: number][] {
    const [oldest, newest] = [this.oldestOf(now), this.bucketOf(now) + BUCKETS]
    return [...this.#used].filter(([bucket]) => bucket >= oldest && bucket <= newest)
  }
}
