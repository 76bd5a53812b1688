/** Which pair of tunings wins. */
import { expect, it } from 'vitest'
import { chooseForms } from './tune.ts'

const timed = (tuning: Record<string, number>, median: number) => ({ tuning, ms: [median], median })

it('takes those that are fastest together among those that sum in one order', () => {
  const one = [timed({ SPLIT: 1, LANES: 8 }, 10), timed({ SPLIT: 4, LANES: 8 }, 5)]
  const several = [timed({ SPLIT: 1, LANES: 32 }, 10), timed({ SPLIT: 4, LANES: 32 }, 11)]
  const many = [timed({ SPLIT: 4, LANES: 8 }, 9), timed({ SPLIT: 4, LANES: 32 }, 8), several[0]!]
  expect(chooseForms({ order: ['SPLIT'] }, { one, several, many })).toEqual({
    one: { SPLIT: 4, LANES: 8 },
    several: { SPLIT: 4, LANES: 32 },
    many: { SPLIT: 4, LANES: 32 },
  })
  const few = several.slice(0, 1)
  expect(chooseForms({ order: ['SPLIT'] }, { one, several: few, many }).one.SPLIT).toBe(1)
})

it('takes one tuning for a kernel with one form', () => {
  const all = [timed({ WG: 64 }, 3), timed({ WG: 32 }, 2)]
  const fastest = { WG: 32 }
  const timedAs = { one: all, several: all, many: all }
  expect(chooseForms({}, timedAs)).toEqual({ one: fastest, several: fastest, many: fastest })
})

it('says so where nothing sums in one order', () => {
  const one = [timed({ SPLIT: 1 }, 1)]
  const several = [timed({ SPLIT: 4 }, 1)]
  const timedAs = { one, several, many: one }
  expect(() => chooseForms({ order: ['SPLIT'] }, timedAs)).toThrow('sum in one order')
})
