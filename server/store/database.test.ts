/** What the state can rely on: one schema, whole transactions, turns, and files of any name. */
import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { IN_MEMORY } from './data-folder.ts'
import { Database } from './database.ts'
import type { Migration } from './migration.ts'

const folder = () => mkdtempSync(join(tmpdir(), 'illuminator-'))

const NOTES: Migration = {
  number: 1,
  name: 'notes',
  statements: ['CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT'],
}
const TAGS: Migration = {
  number: 2,
  name: 'tags',
  statements: ['CREATE TABLE tags (note INTEGER NOT NULL REFERENCES notes (id)) STRICT'],
}

const add = (text: string) => ({ sql: 'INSERT INTO notes (text) VALUES (?)', args: [text] })
const count = async (database: Database) =>
  (await database.execute('SELECT count(*) AS n FROM notes')).rows[0]?.n

test.each(['state.db', 'a b/ü%20?x#y.db'])(
  'a file (%s) is kept, for its owner alone',
  async (name) => {
    const file = join(folder(), name)
    const first = await Database.open(file, [NOTES])
    await first.batch([add('a')])
    expect((await first.execute('PRAGMA journal_mode')).rows[0]?.journal_mode).toBe('wal')
    await first.closeWhenIdle()
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readFileSync(file).subarray(0, 15).toString()).toBe('SQLite format 3')
    const again = await Database.open(file, [NOTES])
    expect(await count(again)).toBe(1)
    again.close()
  },
)

test('steps that are new are applied once, in order, whatever the order of the list', async () => {
  const file = join(folder(), 'state.db')
  ;(await Database.open(file, [NOTES])).close()
  const database = await Database.open(file, [TAGS, NOTES])
  const { rows } = await database.execute('SELECT number, name FROM migrations ORDER BY number')
  expect(rows.map(({ number, name }) => [number, name])).toEqual([
    [1, 'notes'],
    [2, 'tags'],
  ])
  database.close()
})

test('two that open a new file at once both succeed', async () => {
  const file = join(folder(), 'state.db')
  const both = await Promise.all([Database.open(file), Database.open(file)])
  for (const database of both) database.close()
})

test('a step that fails leaves nothing of itself', async () => {
  const file = join(folder(), 'state.db')
  const broken = { ...NOTES, statements: [...NOTES.statements, 'CREATE TABLE'] }
  await expect(Database.open(file, [broken])).rejects.toThrow(/cannot be opened/)
  const database = await Database.open(file, [NOTES])
  expect(await count(database)).toBe(0)
  database.close()
})

test('a newer schema, a file that is no database and a folder are refused with what to do', async () => {
  const file = join(folder(), 'state.db')
  ;(await Database.open(file, [NOTES, TAGS])).close()
  await expect(Database.open(file, [NOTES])).rejects.toThrow(/newer illuminator.*"tags".*--data/)
  const text = join(folder(), 'text')
  writeFileSync(text, 'no database, however long this text may be. '.repeat(100))
  await expect(Database.open(text)).rejects.toMatchObject({ code: 'bad_request', param: 'data' })
  await expect(Database.open(folder())).rejects.toThrow(/--data/)
})

test('a batch is all or nothing', async () => {
  const database = await Database.open(IN_MEMORY, [NOTES])
  await expect(database.batch([add('a'), add('b'), add('a')])).rejects.toThrow(/UNIQUE/)
  expect(await count(database)).toBe(0)
  database.close()
})

test('calls wait for an open transaction and see what it committed', async () => {
  const database = await Database.open(IN_MEMORY, [NOTES])
  const written = database.transaction(async (transaction) => {
    await transaction.execute(add('a'))
    await new Promise((resolve) => setTimeout(resolve, 5))
    await transaction.execute(add('b'))
  })
  expect(await count(database)).toBe(2)
  await written
  const failed = database.transaction(async (transaction) => {
    await transaction.execute(add('c'))
    throw new Error('changed my mind')
  })
  await expect(failed).rejects.toThrow('changed my mind')
  expect(await count(database)).toBe(2)
  database.close()
})

test('foreign keys hold, and a closed database says so', async () => {
  const database = await Database.open(IN_MEMORY, [NOTES, TAGS])
  await expect(database.execute('INSERT INTO tags VALUES (7)')).rejects.toThrow(/FOREIGN KEY/)
  await database.closeWhenIdle()
  await expect(database.execute('SELECT 1')).rejects.toMatchObject({ code: 'CLIENT_CLOSED' })
})
