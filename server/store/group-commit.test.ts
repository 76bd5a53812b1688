/** Writes gathered: all of them, once, in order, in few transactions; a failure loses none. */
import { expect, test } from 'vitest'
import { IN_MEMORY } from './data-folder.ts'
import { Database } from './database.ts'
import { GroupCommit } from './group-commit.ts'

const NUMBERS = {
  number: 1,
  name: 'numbers',
  statements: ['CREATE TABLE numbers (id INTEGER PRIMARY KEY, n INTEGER NOT NULL) STRICT'],
}

async function setUp(delayMs: number) {
  const database = await Database.open(IN_MEMORY, [NUMBERS])
  const logged: string[] = []
  const groups: number[] = []
  const commit = new GroupCommit<number>(database, {
    what: 'numbers',
    delayMs,
    log: (line) => logged.push(line),
    toStatements(numbers) {
      groups.push(numbers.length)
      return numbers.map((n) => ({ sql: 'INSERT INTO numbers (n) VALUES (?)', args: [n] }))
    },
  })
  const stored = async () =>
    (await database.execute('SELECT n FROM numbers ORDER BY id')).rows.map(({ n }) => Number(n))
  return { commit, database, groups, logged, stored }
}

const upTo = (count: number) => Array.from({ length: count }, (_, n) => n)

test.each([0, 5])('what comes together is written together (%i ms)', async (delay) => {
  const { commit, groups, stored } = await setUp(delay)
  for (const n of upTo(100)) commit.add(n)
  await expect.poll(stored).toEqual(upTo(100))
  expect(groups).toEqual([100])
})

test('written() waits for what was added before it, also while a write is under way', async () => {
  const { commit, groups, stored } = await setUp(1000)
  await commit.written()
  commit.add(0)
  const first = commit.written()
  commit.add(1)
  await commit.written()
  expect(await stored()).toEqual([0, 1])
  await first
  expect(groups).toEqual([1, 1])
})

test('a write that fails is tried again, in order, with what came since', async () => {
  const { commit, database, logged, stored } = await setUp(0)
  await database.execute('ALTER TABLE numbers RENAME TO hidden')
  commit.add(0)
  await commit.written()
  commit.add(1)
  await commit.written()
  expect(logged).toEqual([
    expect.stringMatching(/^numbers cannot be written, trying again: .*numbers/),
  ])
  await database.execute('ALTER TABLE hidden RENAME TO numbers')
  await expect.poll(stored, { timeout: 5000 }).toEqual([0, 1])
  expect(logged.at(-1)).toBe('numbers: written again')
})
