/** Toggles by variable. */
import { expect, it } from 'vitest'
import { togglesFrom } from './toggles.ts'

const from = (text?: string) =>
  togglesFrom(text === undefined ? {} : { ILLUMINATOR_DAWN_TOGGLES: text })

it('is nothing unless it is said', () => {
  expect(from()).toEqual([])
  expect(from('')).toEqual([])
})

it('takes names separated by commas', () => {
  expect(from('disable_robustness, skip_validation,')).toEqual([
    'disable_robustness',
    'skip_validation',
  ])
})

it('refuses what it does not know, by name', () => {
  expect(() => from('disable_robustness,toString')).toThrow(
    'ILLUMINATOR_DAWN_TOGGLES names "toString". Expected some of disable_robustness,',
  )
})
