/** Never more than the limit within any window, wherever it begins; held against a list of every use. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SlidingWindow } from './sliding-window.ts'

const SPAN = 60_000
const BUCKET = 1000

test('whatever comes when, no window holds more than the limit, and what is refused is refused for a reason', () => {
  const step = fc.record({
    wait: fc.integer({ min: 0, max: 20_000 }),
    amount: fc.integer({ min: 1, max: 5 }),
  })
  fc.assert(
    fc.property(
      fc.integer({ min: 5, max: 20 }),
      fc.array(step, { maxLength: 80 }),
      (limit, steps) => {
        const window = new SlidingWindow(SPAN)
        const taken: { at: number; amount: number }[] = []
        const within = (from: number, to: number) =>
          taken
            .filter(({ at }) => at > from && at <= to)
            .reduce((sum, { amount }) => sum + amount, 0)
        let now = 1_000_000
        for (const { wait, amount } of steps) {
          now += wait
          if (window.used(now) + amount <= limit) {
            window.add(window.bucketOf(now), amount)
            taken.push({ at: now, amount })
          } else {
            // A bucket's age decides, so a use may count for that much longer.
            expect(within(now - SPAN - BUCKET, now) + amount).toBeGreaterThan(limit)
            const then = window.fallsTo(limit - amount, now)
            expect(then).toBeGreaterThan(now)
            expect(then - now).toBeLessThanOrEqual(SPAN + BUCKET)
            expect(window.used(then)).toBeLessThanOrEqual(limit - amount)
          }
          expect(within(now - SPAN, now)).toBeLessThanOrEqual(limit)
        }
      },
    ),
  )
})

test('what is given back is free again; more than was taken gives nothing', () => {
  const window = new SlidingWindow(SPAN)
  const bucket = window.bucketOf(5000)
  window.add(bucket, 10)
  window.add(bucket, -4)
  expect(window.used(5000)).toBe(6)
  window.add(bucket, -100)
  expect(window.used(5000)).toBe(0)
  expect(window.fallsTo(0, 5000)).toBe(5000)
})

test('a clock that jumps ahead and comes back gives no new allowance', () => {
  const window = new SlidingWindow(SPAN)
  window.add(window.bucketOf(5000), 10)
  expect(window.used(86_400_000)).toBe(0)
  window.add(window.bucketOf(86_400_000), 1)
  expect(window.used(5000)).toBe(10)
})

test('it keeps few buckets, however long it lives', () => {
  const window = new SlidingWindow(SPAN)
  for (let bucket = 0; bucket < 10_000; bucket++) window.add(bucket, 1)
  expect(window.used(9999 * BUCKET)).toBe(61)
  expect(window.used(5000 * BUCKET)).toBe(0)
})

test('a clock that was put back by a year locks nobody out', () => {
  const window = new SlidingWindow(SPAN)
  const year = 365 * 86_400_000
  window.add(window.bucketOf(year), 10)
  expect(window.used(year)).toBe(10)
  expect(window.used(0)).toBe(0)
})
