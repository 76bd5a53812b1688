/** Ids that differ, are missing or are too many are an error that says where. */
import { expect, it } from 'vitest'
import { checkIds } from './greedy.ts'

it('lets equal ids pass and names the first that differs', () => {
  expect(() => checkIds('After 4', [1, 2], [1, 2])).not.toThrow()
  expect(() => checkIds('After 4', [1, 3, 4], [1, 2, 4])).toThrow(
    /^After 4 the greedy ids differ between runs: at 1 of 3 came 3, 2 was expected/,
  )
  expect(() => checkIds('After 4', [1], [1, 2])).toThrow('at 1 of 2 came undefined')
  expect(() => checkIds('After 4', [1, 2, 9], [1, 2])).toThrow('at 2 of 2 came 9')
})
