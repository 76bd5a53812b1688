/**
 * Which pages hold which tokens after which others: a tree of tokens by pages, one root a salt; a node has a page in each
 * group of layers, or none where it was given away. Full pages are found by their ids and shared as they are; of one that
 * agrees for some tokens only, those are copied (copy on write). A prefix counts where every group has what the next token
 * sees: all pages, or with a window those that it reaches back to (as in vLLM's hybrid KV cache manager).
 */
import { firstPage, type KvGroup, NONE } from './kv-group.ts'
import { PAGE } from './page-size.ts'

export interface PrefixNode {
  /** By group. */
  readonly pages: number[]
  readonly ids: readonly number[]
  /** Null for a root. */
  parent: PrefixNode | null
  readonly salt: string
  readonly children: Map<string, PrefixNode>
  /** The step that computes it: a copy may be taken by later ones. */
  step: number
  /** Whether its parent has it: a node with neither pages nor children is let go, until something comes behind it. */
  isKnown: boolean
}

/** Leading tokens of pages to copy. */
export interface PartialPage {
  /** By group. */
  readonly pages: readonly number[]
  readonly tokens: number
}

export interface PrefixMatch {
  readonly root: PrefixNode
  /** Full pages, first to last; those before a group's window may be missing there. */
  readonly path: readonly PrefixNode[]
  readonly partial: PartialPage | null
}

/** Fewer tokens are computed faster than copied. */
const LEAST_COPIED = 2
/** Candidates looked at for a partial page; the newest first would cost an order that nothing else needs. */
const MOST_CANDIDATES = 256

const keyOf = (ids: readonly number[]): string => ids.join()
const isThere = (page: number): boolean => page !== NONE

function commonLength(a: readonly number[], b: readonly number[], from: number): number {
  let length = 0
  while (length < a.length && a[length] === b[from + length]) length++
  return length
}

export class PrefixIndex {
  readonly #windows: readonly number[]
  readonly #roots = new Map<string, PrefixNode>()
  /** By group, by page. */
  readonly #byPage: readonly Map<number, PrefixNode>[]

  constructor(groups: readonly Pick<KvGroup, 'window'>[]) {
    this.#windows = groups.map(({ window }) => window)
    this.#byPage = groups.map(() => new Map())
  }

  /** Pages that hold known tokens. */
  get size(): number {
    return this.#byPage.reduce((sum, pages) => sum + pages.size, 0)
  }

  /** Kept with its first child only: salts come and go. */
  #root(salt: string): PrefixNode {
    return this.#roots.get(salt) ?? this.#node(null, salt, [], -1)
  }

  #node(parent: PrefixNode | null, salt: string, ids: readonly number[], step: number): PrefixNode {
    const pages = this.#windows.map(() => NONE)
    return { pages, ids, parent, salt, children: new Map(), step, isKnown: false }
  }

  /** The longest known prefix of `ids`, at most `limit` tokens; only pages of steps before `step` are copied from. */
  match(salt: string, ids: readonly number[], limit: number, step: number): PrefixMatch {
    const root = this.#root(salt)
    const path: PrefixNode[] = []
    let node = root
    while ((path.length + 1) * PAGE <= limit) {
      const start = path.length * PAGE
      const child = node.children.get(keyOf(ids.slice(start, start + PAGE)))
      if (!child) break
      path.push(child)
      node = child
    }
    path.length = this.#usable(path)
    const last = path.at(-1) ?? root
    return { root, path, partial: this.#partial(last, ids, path.length * PAGE, limit, step) }
  }

  /** Most nodes of a path from its beginning on behind which every group has the pages that the next token sees. */
  #usable(path: readonly PrefixNode[]): number {
    const inRow = this.#windows.map(() => 0)
    let most = 0
    path.forEach(({ pages }, i) => {
      const length = i + 1
      const areThere = this.#windows.map((window, group) => {
        inRow[group] = pages[group] === NONE ? 0 : inRow[group]! + 1
        return inRow[group]! >= length - firstPage(window, length * PAGE)
      })
      if (areThere.every(Boolean)) most = length
    })
    return most
  }

  #partial(
    node: PrefixNode,
    ids: readonly number[],
    start: number,
    limit: number,
    step: number,
  ): PartialPage | null {
    let best: PartialPage | null = null
    let looked = 0
    for (const child of node.children.values()) {
      if (++looked > MOST_CANDIDATES) break
      if (child.step >= step || !child.pages.every(isThere)) continue
      const tokens = Math.min(commonLength(child.ids, ids, start), limit - start)
      if (tokens >= LEAST_COPIED && tokens > (best?.tokens ?? 0))
        best = { pages: [...child.pages], tokens }
    }
    return best
  }

  /**
   * Makes pages known, one a group or none: `ids` are the tokens they hold after those of `after`, fewer than a page's for
   * the end of a sequence. Where a group has a page with the same tokens already, that one stays. Returns the node.
   */
  add(
    after: PrefixNode,
    ids: readonly number[],
    pages: readonly number[],
    step: number,
  ): PrefixNode {
    const key = keyOf(ids)
    const isKept = pages.some(isThere)
    const known = (after.parent ? after : this.#root(after.salt)).children.get(key)
    if (known && !isKept) return known
    const parent = isKept ? this.#known(after) : after
    const node = parent.children.get(key) ?? this.#node(parent, parent.salt, ids, step)
    if (!isKept) return node
    this.#attach(parent, node)
    pages.forEach((page, group) => {
      if (page === NONE || node.pages[group] !== NONE) return
      node.pages[group] = page
      node.step = Math.max(node.step, step)
      this.#byPage[group]!.set(page, node)
    })
    return node
  }

  /** The node that stands for the same tokens in the tree; puts it there, and what leads to it, where it was let go. */
  #known(node: PrefixNode): PrefixNode {
    const missing: PrefixNode[] = []
    let at = node
    while (at.parent && !at.isKnown) {
      missing.push(at)
      at = at.parent
    }
    if (!at.parent) {
      at = this.#roots.get(at.salt) ?? at
      this.#roots.set(at.salt, at)
    }
    for (const one of missing.reverse()) {
      const same = at.children.get(keyOf(one.ids))
      if (!same) this.#attach(at, one)
      at = same ?? one
    }
    return at
  }

  #attach(parent: PrefixNode, node: PrefixNode): void {
    node.parent = parent
    node.isKnown = true
    parent.children.set(keyOf(node.ids), node)
  }

  /** Forgets what a group's page held: it is given to somebody else. */
  forget(group: number, page: number): void {
    const node = this.#byPage[group]?.get(page)
    if (!node) return
    this.#byPage[group]?.delete(page)
    node.pages[group] = NONE
    this.#letGo(node)
  }

  /** Takes out what holds no page and leads to none. */
  #letGo(node: PrefixNode): void {
    let at = node
    while (at.children.size === 0 && !at.pages.some(isThere)) {
      const { parent } = at
      if (!parent) {
        if (this.#roots.get(at.salt) === at) this.#roots.delete(at.salt)
        return
      }
      at.isKnown = false
      parent.children.delete(keyOf(at.ids))
      at = parent
    }
  }
}
