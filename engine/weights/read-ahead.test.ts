/** Results come in order, few are under way, and a failure waits for those that are. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { readAhead } from './read-ahead.ts'

it('keeps the order and at most so many under way', async () => {
  let under = 0
  let most = 0
  const jobs = [5, 1, 4, 0, 3].map((ms, i) => async () => {
    most = Math.max(most, ++under)
    await sleep(ms)
    under--
    return i
  })
  const seen: number[] = []
  for await (const result of readAhead(jobs, 3)) seen.push(result)
  expect(seen).toEqual([0, 1, 2, 3, 4])
  expect(most).toBe(3)
})

it('starts nothing more after a failure, and leaves nothing under way', async () => {
  const ended: number[] = []
  const jobs = Array.from({ length: 6 }, (_, i) => async () => {
    await sleep(i)
    ended.push(i)
    if (i === 1) throw new Error('broken')
    return i
  })
  const all = async (): Promise<void> => {
    for await (const _ of readAhead(jobs, 3));
  }
  await expect(all()).rejects.toThrow('broken')
  expect(ended).toEqual([0, 1, 2, 3])
})
