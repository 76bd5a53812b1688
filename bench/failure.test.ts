/** A figure above the probe is an error; noise is not. */
import { expect, it } from 'vitest'
import { BenchError, checkBelowProbe } from './failure.ts'

it('allows 5 % of noise above the probe and no more', () => {
  expect(() => checkBelowProbe('linear', 6.3, 6, 'GB/s')).not.toThrow()
  expect(() => checkBelowProbe('linear', 6.31, 6, 'GB/s')).toThrow(BenchError)
  expect(() => checkBelowProbe('linear', 9, 6, 'GB/s')).toThrow(/linear would run at 9.00 GB\/s/)
})
