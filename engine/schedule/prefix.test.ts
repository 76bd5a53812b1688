/** The prefix index: which pages are found, how much of the last one is copied, what is forgotten. */
import { describe, expect, test } from 'vitest'
import { PAGE } from './page-size.ts'
import { PrefixIndex, type PrefixNode } from './prefix.ts'

const text = (length: number, from = 0): number[] => Array.from({ length }, (_, i) => from + i)

/** Makes the pages of `ids` known, the last one as a part when it is not full. */
function addAll(
  index: PrefixIndex,
  ids: readonly number[],
  pages: readonly number[],
  { salt = '', step = 0 } = {},
): PrefixNode {
  let node = index.match(salt, [], 0, step).root
  pages.forEach((page, i) => {
    node = index.add(node, ids.slice(i * PAGE, (i + 1) * PAGE), [page], step)
  })
  return node
}

/** Pages found whole, and what is copied, before step 9. */
function found(
  index: PrefixIndex,
  ids: readonly number[],
  { salt = '', limit = ids.length, step = 9 } = {},
): { pages: number[]; copy: [number, number] | null } {
  const { path, partial } = index.match(salt, ids, limit, step)
  return {
    pages: path.map((node) => node.pages[0] as number),
    copy: partial && [partial.pages[0] as number, partial.tokens],
  }
}

describe('finding', () => {
  test('full pages as they are, and the agreeing tokens of the next by copy', () => {
    const index = new PrefixIndex([{ window: 0 }])
    addAll(index, text(40), [7, 8, 9])
    expect(found(index, text(40))).toEqual({ pages: [7, 8], copy: [9, 8] })
    expect(found(index, text(90))).toEqual({ pages: [7, 8], copy: [9, 8] })
    expect(found(index, [...text(20), ...text(20, 500)])).toEqual({ pages: [7], copy: [8, 4] })
    expect(found(index, text(20, 1))).toEqual({ pages: [], copy: null })
    expect(index.size).toBe(3)
  })

  test('never more than the limit: a full page becomes a copy', () => {
    const index = new PrefixIndex([{ window: 0 }])
    addAll(index, text(32), [7, 8])
    expect(found(index, text(32), { limit: 32 })).toEqual({ pages: [7, 8], copy: null })
    expect(found(index, text(32), { limit: 31 })).toEqual({ pages: [7], copy: [8, 15] })
    expect(found(index, text(32), { limit: 17 })).toEqual({ pages: [7], copy: null })
    expect(found(index, text(32), { limit: 0 })).toEqual({ pages: [], copy: null })
  })

  test('of several pages the one that agrees furthest', () => {
    const index = new PrefixIndex([{ window: 0 }])
    for (const [page, own] of [3, 9, 5].entries()) {
      addAll(index, [...text(own), ...text(PAGE - own, 100 * (page + 1))], [page])
    }
    expect(found(index, text(PAGE))).toEqual({ pages: [], copy: [1, 9] })
  })

  test('a page of the step being planned is shared whole and never copied', () => {
    const index = new PrefixIndex([{ window: 0 }])
    addAll(index, text(24), [1, 2], { step: 9 })
    expect(found(index, text(24))).toEqual({ pages: [1], copy: null })
    expect(found(index, text(24), { step: 10 })).toEqual({ pages: [1], copy: [2, 8] })
  })

  test('only under its own salt', () => {
    const index = new PrefixIndex([{ window: 0 }])
    addAll(index, text(24), [1, 2], { salt: 'a' })
    expect(found(index, text(24))).toEqual({ pages: [], copy: null })
    expect(found(index, text(24), { salt: 'a' })).toEqual({ pages: [1], copy: [2, 8] })
  })
})

describe('knowing', () => {
  test('the first page with the same tokens stays; others go on behind it', () => {
    const index = new PrefixIndex([{ window: 0 }])
    addAll(index, text(16), [1])
    const node = addAll(index, text(32), [2, 3])
    expect(node.parent?.pages[0]).toBe(1)
    expect(found(index, text(32))).toEqual({ pages: [1, 3], copy: null })
    expect(index.size).toBe(2)
  })

  test('a part and the whole of a page are two', () => {
    const index = new PrefixIndex([{ window: 0 }])
    addAll(index, text(5), [1])
    addAll(index, text(16), [2])
    expect(found(index, text(16))).toEqual({ pages: [2], copy: null })
    expect(found(index, text(16), { limit: 4 }).copy?.[1]).toBe(4)
    expect(index.size).toBe(2)
  })

  test('what is forgotten is not found, nor what hung behind it', () => {
    const index = new PrefixIndex([{ window: 0 }])
    addAll(index, text(40), [1, 2, 3])
    index.forget(0, 2)
    expect(found(index, text(40))).toEqual({ pages: [1], copy: null })
    index.forget(0, 2)
    index.forget(0, 99)
    // The pages behind are still to be given away, each heard of once.
    expect(index.size).toBe(2)
    index.forget(0, 3)
    index.forget(0, 1)
    expect(index.size).toBe(0)
    expect(found(index, text(40))).toEqual({ pages: [], copy: null })
  })

  test('a root that lost all its pages is known again with the next one', () => {
    const index = new PrefixIndex([{ window: 0 }])
    const stale = addAll(index, text(16), [1]).parent as PrefixNode
    index.forget(0, 1)
    addAll(index, text(16, 50), [4])
    // Somebody who started before still holds the old root.
    index.add(stale, text(16), [5], 3)
    expect(found(index, text(16))).toEqual({ pages: [5], copy: null })
    expect(found(index, text(16, 50))).toEqual({ pages: [4], copy: null })
  })
})
