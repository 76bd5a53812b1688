/** Which rows are read at once, and where each wanted one lies among them. */
import { expect, it } from 'vitest'
import { spansOf } from './rows.ts'

it('rows that take turns come in one span a module', () => {
  const { spans, rows, order } = spansOf((row) => ({ module: row & 1, row: row >>> 1 }), 4, 8)
  expect(spans).toEqual([
    { module: 0, first: 2, rows: 2 },
    { module: 1, first: 2, rows: 2 },
  ])
  expect(rows).toBe(4)
  expect([...order]).toEqual([0, 2, 1, 3])
})

it('rows apart are read with what lies between them', () => {
  const { spans, order } = spansOf((row) => ({ module: 0, row: (row & 1) * 4 + (row >>> 1) }), 0, 4)
  expect(spans).toEqual([{ module: 0, first: 0, rows: 6 }])
  expect([...order]).toEqual([0, 4, 1, 5])
})

it('rows of no module are the row behind all others', () => {
  const place = (row: number) => (row % 2 === 0 ? { module: 3, row } : null)
  const { rows, order } = spansOf(place, 0, 4)
  expect(rows).toBe(3)
  expect([...order]).toEqual([0, 3, 2, 3])
})
