/** Who holds which slot and which pages: starting, growing and leaving sequences over the pool and the prefix index. */
import { PAGE } from './page-size.ts'
import { type PageCounts, PagePool } from './pages.ts'
import { type PartialPage, PrefixIndex, type PrefixMatch } from './prefix.ts'
import type { Request, Residence } from './request.ts'

export interface PageCopy {
  readonly from: number
  readonly to: number
}

/** Puts `page` at place `index` of a sequence's page table. */
export interface TableEntry {
  readonly slot: number
  readonly index: number
  readonly page: number
}

/** A request that just got its place. */
export interface Started {
  readonly request: Request
  /** To be made before the step computes. */
  readonly copy: PageCopy | null
}

const pagesOf = (tokens: number): number => Math.ceil(tokens / PAGE)

export class KvSpace {
  readonly #pageTotal: number
  readonly #slotTotal: number
  #pool!: PagePool
  #index!: PrefixIndex
  #slots: number[] = []
  /** Prompt tokens of started requests, and those of them that were found. */
  readonly prefix = { asked: 0, found: 0 }

  constructor(pages: number, slots: number) {
    this.#pageTotal = pages
    this.#slotTotal = slots
    this.reset()
  }

  get counts(): PageCounts {
    return this.#pool.counts
  }

  /** Forgets everything: the cache behind it is gone. Residences given before are void. */
  reset(): void {
    const index = new PrefixIndex()
    this.#index = index
    this.#pool = new PagePool(this.#pageTotal, (page) => index.forget(page))
    this.#slots = Array.from({ length: this.#slotTotal }, (_, i) => this.#slotTotal - 1 - i)
  }

  /**
   * Gives a waiting request a slot and pages for its tokens and one more, as many as possible of them shared. Null, and
   * nothing changed, when they are not there or fewer than `reserve` pages would be left.
   * @param step the step being planned: it copies pages before it computes
   */
  start(request: Request, step: number, reserve: number): Started | null {
    const { tokens, options } = request
    const limit = options.score === 'all' ? 0 : tokens.length - 1
    const match = this.#index.match(options.salt, tokens, limit, step)
    const partial = betterOf(match.partial, siblingPage(request, match, limit, step))
    const next = options.score === 'none' ? 1 : 0
    const fresh = pagesOf(tokens.length + next) - match.path.length
    const woken = match.path.filter((node) => this.#pool.isIdle(node.page)).length
    if (this.#slots.length === 0 || fresh > this.#pool.available - woken - reserve) return null
    for (const node of match.path) this.#pool.retain(node.page)
    const pages = match.path.map((node) => node.page)
    for (let i = 0; i < fresh; i++) pages.push(this.#pool.allocate()!)
    request.residence = {
      slot: this.#slots.pop()!,
      pages,
      node: match.path.at(-1) ?? match.root,
      published: match.path.length,
      promptStep: null,
    }
    request.state = 'running'
    request.computed = match.path.length * PAGE + (partial?.tokens ?? 0)
    if (request.cachedTokens === null) {
      request.cachedTokens = Math.min(request.computed, request.prompt.length)
      this.prefix.asked += request.prompt.length
      this.prefix.found += request.cachedTokens
    }
    return {
      request,
      copy: partial ? { from: partial.page, to: pages[match.path.length]! } : null,
    }
  }

  /** Sees to it that a running request has pages for `tokens` tokens; the new ones go to `entries`. False: none is left. */
  grow(request: Request, tokens: number, entries: TableEntry[]): boolean {
    const { slot, pages } = residenceOf(request)
    while (pages.length < pagesOf(tokens)) {
      const page = this.#pool.allocate()
      if (page === null) return false
      entries.push({ slot, index: pages.length, page })
      pages.push(page)
    }
    return true
  }

  /** Lets others find the pages that are full of known, computed tokens. */
  publish(request: Request, step: number): void {
    const residence = residenceOf(request)
    const known = Math.min(request.computed, request.tokens.length)
    while ((residence.published + 1) * PAGE <= known) {
      const start = residence.published * PAGE
      const page = residence.pages[residence.published]!
      const ids = request.tokens.slice(start, start + PAGE)
      residence.node = this.#index.add(residence.node, ids, page, step)
      if (residence.node.page === page) this.#pool.keep(page)
      residence.published++
    }
  }

  /** Takes slot and pages back. What they hold stays findable until the pages are needed, the last one in part, too. */
  leave(request: Request, step: number): void {
    const residence = residenceOf(request)
    this.publish(request, step)
    const start = residence.published * PAGE
    const known = Math.min(request.computed, request.tokens.length)
    const last = residence.pages[residence.published]
    if (known > start && last !== undefined) {
      const tail = this.#index.add(residence.node, request.tokens.slice(start, known), last, step)
      if (tail.page === last) this.#pool.keep(last)
    }
    // The last pages first: of one prefix the longer part goes before the shorter.
    for (const page of residence.pages.reverse()) this.#pool.release(page)
    this.#slots.push(residence.slot)
    request.residence = null
  }
}

export function residenceOf(request: Request): Residence {
  if (!request.residence) throw new Error('A request that does not run holds no pages.')
  return request.residence
}

const betterOf = (a: PartialPage | null, b: PartialPage | null): PartialPage | null =>
  (b?.tokens ?? 0) > (a?.tokens ?? 0) ? b : a

/** The page in which a running sibling's prompt ends: the prompt is the same, so its tokens there are. */
function siblingPage(
  request: Request,
  { path }: PrefixMatch,
  limit: number,
  step: number,
): PartialPage | null {
  const { sibling } = request.options
  if (!sibling?.residence || !hasPrompt(sibling, step)) return null
  const start = path.length * PAGE
  const tokens = Math.min(limit, sibling.prompt.length) - start
  const page = sibling.residence.pages[path.length]
  return page === undefined || tokens < 1 || tokens >= PAGE ? null : { page, tokens }
}

/** A step before `step` computes its prompt to the end. */
export function hasPrompt({ residence }: Request, step: number): boolean {
  const { promptStep = null } = residence ?? {}
  return promptStep !== null && promptStep < step
}
