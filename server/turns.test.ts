/** What turns promise: a burst is done in order, and whoever else waits for the event loop gets it in between. */
import { expect, test } from 'vitest'
import { takeTurn } from './turns.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('what there is room for is done at once', async () => {
  await turn()
  const done: number[] = []
  for (let i = 0; i < 4; i++) takeTurn(() => done.push(i))
  expect(done).toEqual([0, 1, 2, 3])
})

test('a burst is done in order, with turns for others in between', async () => {
  await turn()
  const done: number[] = []
  for (let i = 0; i < 1000; i++) takeTurn(() => done.push(i))
  expect(done.length).toBeLessThan(100)
  let turns = 0
  for (; done.length < 1000; turns++) {
    const before = done.length
    await turn()
    expect(done.length - before).toBeLessThan(100)
  }
  expect(turns).toBeGreaterThan(10)
  expect(done).toEqual([...done.keys()])
})

test('what comes meanwhile waits behind what waits, and a burst is not the last', async () => {
  const done: number[] = []
  for (let i = 0; i < 200; i++) {
    takeTurn(() => {
      done.push(i)
      takeTurn(() => done.push(200 + i))
    })
    if (i % 50 === 0) await turn()
  }
  await expect.poll(() => done).toHaveLength(400)
  expect(done.filter((i) => i < 200)).toEqual([...Array(200).keys()])
  await turn()
  takeTurn(() => done.push(400))
  expect(done.at(-1)).toBe(400)
})
