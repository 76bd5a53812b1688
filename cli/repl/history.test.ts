/** What was typed is there the next time, for its owner only, not without end, and its loss stops nothing. */
import { chmodSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { History, MOST_LINES } from './history.ts'

const fresh = () =>
  join(mkdtempSync(join(tmpdir(), 'illuminator-history-')), 'data', 'chat-history')
const modeOf = (file: string) => statSync(file).mode & 0o777

test('lines are there the next time, latest first', () => {
  const file = fresh()
  const told: string[] = []
  const history = new History(file, (line) => told.push(line))
  for (const line of ['one', '  two ', '', 'three 💡']) history.add(line)
  expect(new History(file, (line) => told.push(line)).lines).toEqual(['three 💡', 'two', 'one'])
  expect(told).toEqual([])
})

test('nobody else can read it, whoever made the file', () => {
  const file = fresh()
  new History(file, () => {}).add('secret')
  expect(modeOf(file)).toBe(0o600)
  expect(modeOf(join(file, '..'))).toBe(0o700)
  chmodSync(file, 0o644)
  new History(file, () => {}).add('more')
  expect(modeOf(file)).toBe(0o600)
})

test('it does not grow without end', () => {
  const file = fresh()
  new History(file, () => {})
  const lines = Array.from({ length: 2 * MOST_LINES + 1 }, (_, at) => `line ${at}`)
  writeFileSync(file, `${lines.join('\n')}\n`)
  const history = new History(file, () => {})
  expect(history.lines).toHaveLength(MOST_LINES)
  expect(history.lines[0]).toBe(`line ${2 * MOST_LINES}`)
  expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(MOST_LINES + 1)
})

test('where it cannot be kept, that is said once and nothing stops', () => {
  const told: string[] = []
  const history = new History('/dev/null/chat-history', (line) => told.push(line))
  history.add('one')
  history.add('two')
  expect(history.lines).toEqual([])
  expect(told).toHaveLength(1)
  expect(told[0]).toMatch(/not kept.*ENOTDIR|not kept.*EEXIST/)
})

test('without a file nothing is kept', () => {
  const history = new History(null, () => {
    throw new Error('nothing to tell')
  })
  history.add('one')
  expect(history.lines).toEqual([])
})
