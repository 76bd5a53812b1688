/** Spreads: order, even and odd counts, a rate out of a time; percentiles. */
import { expect, it } from 'vitest'
import { mapSpread, percentileOf, spreadOf } from './statistics.ts'

it('sorts, and takes the middle', () => {
  expect(spreadOf([3, 1, 2])).toEqual({ min: 1, median: 2, max: 3 })
  expect(spreadOf([4, 1, 2, 10])).toEqual({ min: 1, median: 3, max: 10 })
  expect(spreadOf([7])).toEqual({ min: 7, median: 7, max: 7 })
  expect(() => spreadOf([])).toThrow('no values')
})

it('stays ordered when a time becomes a rate', () => {
  expect(mapSpread({ min: 1, median: 2, max: 4 }, (ms) => 8 / ms)).toEqual({
    min: 2,
    median: 4,
    max: 8,
  })
})

it('takes a percentile by nearest rank', () => {
  const values = Array.from({ length: 200 }, (_, i) => 200 - i)
  expect(percentileOf(values, 0.99)).toBe(198)
  expect(percentileOf([3, 1, 2], 0.99)).toBe(3)
  expect(percentileOf([3, 1, 2], 0)).toBe(1)
  expect(() => percentileOf([], 0.5)).toThrow('no values')
})
