/** Which pair of tunings wins. */
import { expect, it } from 'vitest'
import { chooseForms } from './tune.ts'

const timed = (tuning: Record<string, number>, median: number) => ({ tuning, ms: [median], median })

it('takes the two that are fastest together among those that sum in one order', () => {
  const one = [timed({ SPLIT: 1, LANES: 8 }, 10), timed({ SPLIT: 4, LANES: 8 }, 5)]
  const several = [timed({ SPLIT: 1, LANES: 32 }, 10), timed({ SPLIT: 4, LANES: 32 }, 11)]
  expect(chooseForms({ order: ['SPLIT'] }, one, several)).toEqual({
    one: { SPLIT: 4, LANES: 8 },
    several: { SPLIT: 4, LANES: 32 },
  })
  expect(chooseForms({ order: ['SPLIT'] }, one, several.slice(0, 1)).one.SPLIT).toBe(1)
})

it('takes one tuning for a kernel with one form', () => {
  const all = [timed({ WG: 64 }, 3), timed({ WG: 32 }, 2)]
  expect(chooseForms({}, all, all)).toEqual({ one: { WG: 32 }, several: { WG: 32 } })
})

it('says so where nothing sums in one order', () => {
  const one = [timed({ SPLIT: 1 }, 1)]
  const several = [timed({ SPLIT: 4 }, 1)]
  expect(() => chooseForms({ order: ['SPLIT'] }, one, several)).toThrow('sum in one order')
})
