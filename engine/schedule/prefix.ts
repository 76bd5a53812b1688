/**
 * Which page holds which tokens after which others: a tree of pages by their token ids, one root a salt. A full page is
 * found by its ids and shared as it is; of a page that agrees for some tokens only, those are copied (copy on write).
 */
import { PAGE } from './page-size.ts'

export interface PrefixNode {
  /** -1 for a root. */
  readonly page: number
  readonly ids: readonly number[]
  readonly parent: PrefixNode | null
  readonly salt: string
  readonly children: Map<string, PrefixNode>
  /** The step that computes it: a copy may be taken by later ones. */
  readonly step: number
}

/** Leading tokens of a page to copy. */
export interface PartialPage {
  readonly page: number
  readonly tokens: number
}

export interface PrefixMatch {
  readonly root: PrefixNode
  /** Full pages, first to last. */
  readonly path: readonly PrefixNode[]
  readonly partial: PartialPage | null
}

/** Fewer tokens are computed faster than copied. */
const LEAST_COPIED = 2
/** Candidates looked at for a partial page; the newest first would cost an order that nothing else needs. */
const MOST_CANDIDATES = 256

const keyOf = (ids: readonly number[]): string => ids.join()

function commonLength(a: readonly number[], b: readonly number[], from: number): number {
  let length = 0
  while (length < a.length && a[length] === b[from + length]) length++
  return length
}

export class PrefixIndex {
  readonly #roots = new Map<string, PrefixNode>()
  readonly #byPage = new Map<number, PrefixNode>()

  /** Pages that hold a known prefix. */
  get size(): number {
    return this.#byPage.size
  }

  /** Kept with its first child only: salts come and go. */
  #root(salt: string): PrefixNode {
    const known = this.#roots.get(salt)
    return known ?? { page: -1, ids: [], parent: null, salt, children: new Map(), step: -1 }
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
    return { root, path, partial: this.#partial(node, ids, path.length * PAGE, limit, step) }
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
      if (child.step >= step) continue
      const tokens = Math.min(commonLength(child.ids, ids, start), limit - start)
      if (tokens >= LEAST_COPIED && tokens > (best?.tokens ?? 0))
        best = { page: child.page, tokens }
    }
    return best
  }

  /**
   * Makes a page known: `ids` are the tokens it holds after those of `after`, fewer than a page's for the end of a sequence.
   * When a page with the same tokens is known already, that one stays; it is returned.
   */
  add(after: PrefixNode, ids: readonly number[], page: number, step: number): PrefixNode {
    const parent = after.parent ? after : (this.#roots.get(after.salt) ?? after)
    if (!parent.parent) this.#roots.set(parent.salt, parent)
    const key = keyOf(ids)
    const known = parent.children.get(key)
    if (known) return known
    const node = { page, ids, parent, salt: parent.salt, children: new Map(), step }
    parent.children.set(key, node)
    this.#byPage.set(page, node)
    return node
  }

  /** Forgets what a page held: it is given to somebody else. */
  forget(page: number): void {
    const node = this.#byPage.get(page)
    if (!node) return
    this.#byPage.delete(page)
    const { parent, ids, salt } = node
    parent?.children.delete(keyOf(ids))
    if (parent?.children.size === 0 && this.#roots.get(salt) === parent) this.#roots.delete(salt)
  }
}
