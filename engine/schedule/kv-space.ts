/** Who holds which slot and which pages: starting, growing and leaving sequences over the pools and the prefix index. */
import { firstPage, type KvGroup, NONE, pagesOf } from './kv-group.ts'
import { PAGE } from './page-size.ts'
import { type PageCounts, PagePool } from './pages.ts'
import { type PartialPage, PrefixIndex, type PrefixMatch } from './prefix.ts'
import type { PageTable, Request, Residence } from './request.ts'

export interface PageCopy {
  readonly group: number
  readonly from: number
  readonly to: number
}

/** Puts `page` at place `index` of a sequence's page table in a group. */
export interface TableEntry {
  readonly slot: number
  readonly group: number
  readonly index: number
  readonly page: number
}

/** A request that just got its place. */
export interface Started {
  readonly request: Request
  /** To be made before the step computes. */
  readonly copies: readonly PageCopy[]
}

export class KvSpace {
  readonly #groups: readonly KvGroup[]
  readonly #slotTotal: number
  #pools!: readonly PagePool[]
  #index!: PrefixIndex
  #slots: number[] = []
  /** Prompt tokens of started requests, and those of them that were found. */
  readonly prefix = { asked: 0, found: 0 }

  constructor(groups: readonly KvGroup[], slots: number) {
    this.#groups = groups
    this.#slotTotal = slots
    this.reset()
  }

  /** By group. */
  get counts(): PageCounts[] {
    return this.#pools.map((pool) => pool.counts)
  }

  /** Forgets everything: the cache behind it is gone. Residences given before are void. */
  reset(): void {
    const index = new PrefixIndex(this.#groups)
    this.#index = index
    this.#pools = this.#groups.map(
      ({ pages }, group) => new PagePool(pages, (page) => index.forget(group, page)),
    )
    this.#slots = Array.from({ length: this.#slotTotal }, (_, i) => this.#slotTotal - 1 - i)
  }

  /**
   * Gives a waiting request a slot and pages for its tokens and one more, as many as possible of them shared; where there is
   * a window, as many as it may hold at once. Null, and nothing changed, when they are not there or fewer than `reserve`
   * pages would be left.
   * @param step the step being planned: it copies pages before it computes
   */
  start(request: Request, step: number, reserve: number): Started | null {
    const { tokens, options } = request
    const limit = options.score === 'all' ? 0 : tokens.length - 1
    const match = this.#index.match(options.salt, tokens, limit, step)
    const partial = betterOf(match.partial, siblingPages(request, match, limit, step))
    const total = pagesOf(tokens.length + (options.score === 'none' ? 1 : 0))
    const computed = match.path.length * PAGE + (partial?.tokens ?? 0)
    const mayTake = this.#groups.map((_, group) => {
      const { shared, end } = this.#wanted(group, match, computed, total)
      const pool = this.#pools[group]!
      const woken = shared.filter((page) => pool.isIdle(page)).length
      return end - match.path.length <= pool.available - woken - reserve
    })
    if (this.#slots.length === 0 || !mayTake.every(Boolean)) return null
    request.residence = {
      slot: this.#slots.pop()!,
      tables: this.#groups.map((_, group) =>
        this.#take(group, this.#wanted(group, match, computed, total)),
      ),
      node: match.path.at(-1) ?? match.root,
      published: match.path.length,
      promptStep: null,
    }
    request.state = 'running'
    request.computed = computed
    this.#countPrefix(request)
    return { request, copies: partial ? copiesOf(partial, match.path.length, request) : [] }
  }

  /** Pages of a group from `first` on: those that are shared, and fresh ones up to `end`. */
  #wanted(group: number, { path }: PrefixMatch, computed: number, total: number): Wanted {
    const { window, held } = this.#groups[group]!
    const first = firstPage(window, computed)
    const shared = path.slice(first).map(({ pages }) => pages[group]!)
    return { first, shared, end: Math.min(total, first + held) }
  }

  #take(group: number, { first, shared, end }: Wanted): PageTable {
    const pool = this.#pools[group]!
    for (const page of shared) pool.retain(page)
    const pages = [...Array.from({ length: first }, () => NONE), ...shared]
    while (pages.length < end) pages.push(pool.allocate()!)
    return { pages, first }
  }

  #countPrefix(request: Request): void {
    if (request.cachedTokens !== null) return
    request.cachedTokens = Math.min(request.computed, request.prompt.length)
    this.prefix.asked += request.prompt.length
    this.prefix.found += request.cachedTokens
  }

  /** Most rows of a running request's next run: those that the pages it may hold have room for. */
  rowsFor({ computed }: Request): number {
    const ends = this.#groups.map(({ window, held }) => firstPage(window, computed) + held)
    return Math.min(...ends) * PAGE - computed
  }

  /**
   * Gives back what the next rows of a running request see nothing of, and sees to it that it has pages for `tokens` tokens;
   * the new ones go to `entries`. Known tokens get theirs early, as at the start. False: none is left.
   */
  grow(request: Request, tokens: number, entries: TableEntry[]): boolean {
    const { slot, tables } = residenceOf(request)
    return tables.every((table, group) => {
      const { window, held } = this.#groups[group]!
      const pool = this.#pools[group]!
      this.#shed(group, table, firstPage(window, request.computed))
      const { pages } = table
      const needed = pagesOf(tokens)
      const known = Math.min(pagesOf(request.tokens.length), table.first + held)
      while (pages.length < Math.max(needed, known)) {
        const page = pool.allocate()
        if (page === null) break
        entries.push({ slot, group, index: pages.length, page })
        pages.push(page)
      }
      return pages.length >= needed
    })
  }

  /** Gives back the pages of a table before place `first`. */
  #shed(group: number, table: PageTable, first: number): void {
    for (; table.first < first; table.first++) {
      this.#pools[group]!.release(table.pages[table.first]!)
      table.pages[table.first] = NONE
    }
  }

  /** Lets others find the pages that are full of known, computed tokens. */
  publish(request: Request, step: number): void {
    const residence = residenceOf(request)
    const known = Math.min(request.computed, request.tokens.length)
    while ((residence.published + 1) * PAGE <= known) {
      this.#publish(request, residence, PAGE, step)
      residence.published++
    }
  }

  /** Makes the page behind the published ones known, with its first `count` tokens. */
  #publish({ tokens }: Request, residence: Residence, count: number, step: number): void {
    const { published, tables } = residence
    const ids = tokens.slice(published * PAGE, published * PAGE + count)
    const pages = tables.map((table) => table.pages[published] ?? NONE)
    const node = this.#index.add(residence.node, ids, pages, step)
    pages.forEach((page, group) => {
      if (page !== NONE && node.pages[group] === page) this.#pools[group]!.keep(page)
    })
    if (count === PAGE) residence.node = node
  }

  /** Takes slot and pages back. What they hold stays findable until the pages are needed, the last one in part, too. */
  leave(request: Request, step: number): void {
    const residence = residenceOf(request)
    this.publish(request, step)
    const known = Math.min(request.computed, request.tokens.length)
    const rest = known - residence.published * PAGE
    if (rest > 0) this.#publish(request, residence, rest, step)
    // The last pages first: of one prefix the longer part goes before the shorter.
    residence.tables.forEach(({ pages, first }, group) => {
      for (const page of pages.slice(first).reverse()) this.#pools[group]!.release(page)
    })
    this.#slots.push(residence.slot)
    request.residence = null
  }
}

interface Wanted {
  readonly first: number
  readonly shared: readonly number[]
  readonly end: number
}

export function residenceOf(request: Request): Residence {
  if (!request.residence) throw new Error('A request that does not run holds no pages.')
  return request.residence
}

const betterOf = (a: PartialPage | null, b: PartialPage | null): PartialPage | null =>
  (b?.tokens ?? 0) > (a?.tokens ?? 0) ? b : a

/** Into the pages at place `index` of a request that just got them. */
const copiesOf = ({ pages }: PartialPage, index: number, request: Request): PageCopy[] =>
  pages.map((from, group) => ({
    group,
    from,
    to: residenceOf(request).tables[group]!.pages[index]!,
  }))

/** The pages in which a running sibling's prompt ends: the prompt is the same, so its tokens there are. */
function siblingPages(
  request: Request,
  { path }: PrefixMatch,
  limit: number,
  step: number,
): PartialPage | null {
  const { sibling } = request.options
  if (!sibling?.residence || !hasPrompt(sibling, step)) return null
  const tokens = Math.min(limit, sibling.prompt.length) - path.length * PAGE
  const pages = sibling.residence.tables.map((table) => table.pages[path.length] ?? NONE)
  return tokens < 1 || tokens >= PAGE || pages.includes(NONE) ? null : { pages, tokens }
}

/** A step before `step` computes its prompt to the end. */
export function hasPrompt({ residence }: Request, step: number): boolean {
  const { promptStep = null } = residence ?? {}
  return promptStep !== null && promptStep < step
}
