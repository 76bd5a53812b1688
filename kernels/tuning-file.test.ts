/** Kept tunings on disk. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { BASELINE } from './gpu/capabilities.ts'
import { keepTunings, readTunings, tuningFile } from './tuning-file.ts'

const adapter = { name: 'Made up 1.0', vendor: 'nobody', driver: 'gpu', caps: BASELINE } as const
const kept = {
  one: { LANES: 8 },
  several: { LANES: 32 },
  many: { LANES: 32 },
  versions: { one: 'a', several: 'b', many: 'c' },
}
let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunings-'))
  vi.stubEnv('ILLUMINATOR_CACHE', folder)
  vi.stubEnv('ILLUMINATOR_TUNINGS', '')
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true })
})

const fail = (message: string): never => {
  throw new Error(message)
}

it('gives back what was kept, beside what was kept before', () => {
  expect(readTunings(adapter, fail).size).toBe(0)
  keepTunings(adapter, new Map([['a', kept]]))
  keepTunings(adapter, new Map([['b', { ...kept, one: { LANES: 64 } }]]))
  const found = readTunings(adapter, fail)
  expect(found.get('a')).toEqual(kept)
  expect(found.get('b')?.one).toEqual({ LANES: 64 })
})

it('keeps adapters and drivers apart', () => {
  keepTunings(adapter, new Map([['a', kept]]))
  expect(readTunings({ ...adapter, name: 'Made up 1.1' }, fail).size).toBe(0)
})

it('is as if nothing were kept with ILLUMINATOR_TUNINGS=off', () => {
  keepTunings(adapter, new Map([['a', kept]]))
  vi.stubEnv('ILLUMINATOR_TUNINGS', 'off')
  expect(readTunings(adapter, fail).size).toBe(0)
})

it.each([
  ['no JSON', '{'],
  ['another form', '{"format": 2}'],
])('tells of a file that is %s, and goes on without it', (_, text) => {
  keepTunings(adapter, new Map([['a', kept]]))
  writeFileSync(tuningFile(adapter), text)
  const problems: string[] = []
  expect(readTunings(adapter, (message) => problems.push(message)).size).toBe(0)
  expect(problems).toHaveLength(1)
  expect(problems[0]).toContain(tuningFile(adapter))
  expect(problems[0]).toContain('Remove it, or tune again.')
})
