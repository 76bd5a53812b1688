/**
 * The pool of KV pages: reference counts, a free list, and pages that nobody uses but that may be found again, least
 * recently used first to go. free + cached + in use = total, always.
 */

export interface PageCounts {
  readonly free: number
  /** Unused, but kept for who asks for the same tokens again. */
  readonly cached: number
  readonly inUse: number
  readonly total: number
}

/** The pages of several pools. */
export function totalOf(counts: readonly PageCounts[]): PageCounts {
  const sum = (of: (one: PageCounts) => number): number =>
    counts.reduce((all, one) => all + of(one), 0)
  return {
    free: sum(({ free }) => free),
    cached: sum(({ cached }) => cached),
    inUse: sum(({ inUse }) => inUse),
    total: sum(({ total }) => total),
  }
}

export class PagePool {
  readonly total: number
  readonly #refs: Int32Array
  readonly #free: number[]
  /** Pages to keep when nobody uses them. */
  readonly #kept = new Set<number>()
  /** Kept pages without users, oldest first. */
  readonly #idle = new Set<number>()
  readonly #onEvict: (page: number) => void

  /** @param onEvict hears of a kept page that is given to somebody else */
  constructor(total: number, onEvict: (page: number) => void) {
    this.total = total
    this.#onEvict = onEvict
    this.#refs = new Int32Array(total)
    // Low numbers first.
    this.#free = Array.from({ length: total }, (_, i) => total - 1 - i)
  }

  /** Pages that `allocate` could give. */
  get available(): number {
    return this.#free.length + this.#idle.size
  }

  get counts(): PageCounts {
    const [free, cached] = [this.#free.length, this.#idle.size]
    return { free, cached, inUse: this.total - free - cached, total: this.total }
  }

  /** A page with one user, or null when all are in use. */
  allocate(): number | null {
    const page = this.#free.pop() ?? this.#evict()
    if (page === null) return null
    this.#refs[page] = 1
    return page
  }

  retain(page: number): void {
    this.#idle.delete(page)
    this.#refs[page]! += 1
  }

  release(page: number): void {
    const left = --this.#refs[page]!
    if (left > 0) return
    if (left < 0) throw new Error(`Page ${page} was released more often than it was taken.`)
    if (this.#kept.has(page)) this.#idle.add(page)
    else this.#free.push(page)
  }

  /** The page may be found again by its tokens: from now on it is cached when its last user leaves. */
  keep(page: number): void {
    this.#kept.add(page)
  }

  isIdle(page: number): boolean {
    return this.#idle.has(page)
  }

  #evict(): number | null {
    const { value: page, done } = this.#idle.values().next()
    if (done) return null
    this.#idle.delete(page)
    this.#kept.delete(page)
    this.#onEvict(page)
    return page
  }
}
