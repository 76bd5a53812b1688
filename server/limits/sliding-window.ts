/**
 * How much was used within the last minute, or hour. Time is cut into sixty buckets; a bucket counts until even its
 * youngest use is older than the window. So there is never more than the limit within any window, wherever it begins,
 * and what was used comes back a sixtieth of a window late at most. (A fixed window lets twice the limit through
 * around its border; a token bucket does in its first window.)
 */

const BUCKETS = 60

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
  }

  used(now: number): number {
    this.#forget(now)
    let sum = 0
    for (const used of this.#used.values()) sum += used
    return sum
  }

  /** When, in epoch milliseconds, at most `most` of what is used now still counts. */
  fallsTo(most: number, now: number): number {
    let left = this.used(now)
    if (left <= most) return now
    const inOrder = [...this.#used].sort(([a], [b]) => a - b)
    for (const [bucket, used] of inOrder) {
      left -= used
      if (left <= most) return (bucket + BUCKETS + 1) * this.#width
    }
    return now
  }

  /** Drops what is too old, and what a clock that was put back has left in the far future. */
  #forget(now: number): void {
    const [oldest, newest] = [this.oldestOf(now), this.bucketOf(now) + BUCKETS]
    for (const bucket of this.#used.keys()) {
      if (bucket < oldest || bucket > newest) this.#used.delete(bucket)
    }
  }
}
