/** The gate's decision on made-up times. */
import { expect, it } from 'vitest'
import { Random } from '../../kernels/kernel.ts'
import { chanceOf, judge, type Pair } from './judge.ts'

/** Pairs whose times are up to `noise` too long, and now and then three times as long. */
function pairs(count: number, factor: number, noise: number, seed: number): Pair[] {
  const random = new Random(seed)
  const busy = () => (random.below(20) === 0 ? 3 : 1) * (1 + (noise * random.below(1000)) / 1000)
  return Array.from({ length: count }, () => ({ before: busy(), now: factor * busy() }))
}

it('30 % more is slower, 30 % less is faster, the same is the same', () => {
  const of = (now: number) => judge(Array.from({ length: 15 }, () => ({ before: 10, now }))).verdict
  expect([13, 7, 10, 10.9, 9.2].map(of)).toEqual(['slower', 'faster', 'same', 'same', 'same'])
})

it('tells the spread of the ratios, and where their median is', () => {
  const { ratio } = judge([1, 2, 3].map((now) => ({ before: 2, now })))
  expect(ratio).toEqual({ min: 0.5, median: 1, max: 1.5 })
  const { interval } = judge(Array.from({ length: 15 }, (_, i) => ({ before: 1, now: i })))
  expect(interval).toEqual([1, 13])
})

it('one long pair changes nothing; pairs that disagree, or few, leave it open', () => {
  const same = Array.from({ length: 14 }, () => ({ before: 10, now: 10 }))
  expect(judge([...same, { before: 10, now: 90 }]).verdict).toBe('same')
  const noisy = Array.from({ length: 15 }, (_, i) => ({ before: 10, now: i % 3 === 0 ? 5 : 20 }))
  expect(judge(noisy).verdict).toBe('open')
  expect(judge(same.slice(0, 8)).verdict).toBe('open')
})

it('through noise of 20 %: 30 % is caught, and no change is no change', () => {
  const verdicts = (factor: number) =>
    Array.from({ length: 300 }, (_, i) => judge(pairs(60, factor, 0.2, i + 1)).verdict)
  expect(verdicts(1.3).filter((one) => one === 'slower').length).toBeGreaterThan(295)
  expect(verdicts(1).filter((one) => one === 'slower')).toEqual([])
})

it('counts chances as a coin does', () => {
  expect(chanceOf(0, 4)).toBe(1)
  expect(chanceOf(4, 4)).toBe(1 / 16)
  expect(chanceOf(3, 4)).toBe(5 / 16)
  expect(chanceOf(9, 9)).toBeCloseTo(0.00195, 5)
})
