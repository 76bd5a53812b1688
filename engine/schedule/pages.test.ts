/** The page pool: counts that add up, the least recently used first to go, and who hears of it. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PagePool } from './pages.ts'

function poolOf(total: number): { pool: PagePool; evicted: number[] } {
  const evicted: number[] = []
  return { pool: new PagePool(total, (page) => evicted.push(page)), evicted }
}

test('low numbers first, each once, then null', () => {
  const { pool } = poolOf(3)
  expect([1, 2, 3, 4].map(() => pool.allocate())).toEqual([0, 1, 2, null])
  expect(pool.counts).toEqual({ free: 0, cached: 0, inUse: 3, total: 3 })
})

test('a page with two users is free when both are gone', () => {
  const { pool } = poolOf(2)
  const page = pool.allocate() as number
  pool.retain(page)
  pool.release(page)
  expect(pool.counts.inUse).toBe(1)
  pool.release(page)
  expect(pool.counts).toEqual({ free: 2, cached: 0, inUse: 0, total: 2 })
  expect(() => pool.release(page)).toThrow(/more often/)
})

test('a kept page is cached, comes back to whoever finds it, and is not given away meanwhile', () => {
  const { pool, evicted } = poolOf(2)
  const page = pool.allocate() as number
  pool.keep(page)
  pool.release(page)
  expect(pool.isIdle(page)).toBe(true)
  expect(pool.counts).toEqual({ free: 1, cached: 1, inUse: 0, total: 2 })
  expect(pool.available).toBe(2)
  pool.retain(page)
  expect(pool.isIdle(page)).toBe(false)
  expect([pool.allocate(), pool.allocate()]).toEqual([1, null])
  expect(evicted).toEqual([])
})

test('free pages go before cached ones, and of those the one left longest ago', () => {
  const { pool, evicted } = poolOf(4)
  const [a, b, c] = [0, 1, 2].map(() => pool.allocate() as number) as [number, number, number]
  for (const page of [a, b, c]) pool.keep(page)
  for (const page of [b, a, c]) pool.release(page)
  // Used once more: now it is the latest.
  pool.retain(b)
  pool.release(b)
  expect([1, 2, 3, 4, 5].map(() => pool.allocate())).toEqual([3, a, c, b, null])
  expect(evicted).toEqual([a, c, b])
})

test('what was evicted is no longer kept', () => {
  const { pool, evicted } = poolOf(1)
  const page = pool.allocate() as number
  pool.keep(page)
  pool.release(page)
  pool.allocate()
  pool.release(page)
  expect(pool.counts).toEqual({ free: 1, cached: 0, inUse: 0, total: 1 })
  expect(evicted).toEqual([page])
})

test('whatever is done, free + cached + in use = total and no page has two owners', () => {
  const action = fc.tuple(fc.constantFrom('allocate', 'retain', 'release', 'keep'), fc.nat(7))
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const { pool } = poolOf(6)
      const users = new Map<number, number>()
      for (const [what, which] of actions) {
        const held = [...users.keys()]
        const page = held[which % Math.max(1, held.length)]
        if (what === 'allocate') {
          const fresh = pool.allocate()
          expect(fresh === null).toBe(users.size === 6)
          if (fresh !== null) expect(users.has(fresh)).toBe(false)
          if (fresh !== null) users.set(fresh, 1)
        } else if (page !== undefined && what === 'keep') pool.keep(page)
        else if (page !== undefined && what === 'retain') {
          pool.retain(page)
          users.set(page, (users.get(page) ?? 0) + 1)
        } else if (page !== undefined) {
          pool.release(page)
          const left = (users.get(page) ?? 0) - 1
          if (left > 0) users.set(page, left)
          else users.delete(page)
        }
        const { free, cached, inUse, total } = pool.counts
        expect(free + cached + inUse).toBe(total)
        expect(inUse).toBe(users.size)
        expect(pool.available).toBe(free + cached)
      }
    }),
  )
})
