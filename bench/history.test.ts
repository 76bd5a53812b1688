/** The history: appended and read back, absent, broken; where it lies; a folder without git. */
import { existsSync } from 'node:fs'
import { appendFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { appendRun, commitOf, historyPlace, type Run, readRuns } from './history.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'illuminator-bench-'))
})
afterAll(() => rm(folder, { recursive: true }))

const run: Run = {
  date: '2026-11-23T10:00:00.000Z',
  commit: 'abcdef0123',
  changed: false,
  adapter: 'llvmpipe',
  driver: 'lavapipe',
  node: '20.20.0',
  what: ['kernels'],
  figures: [{ name: 'decode @32', unit: 'tokens/s', min: 1, median: 2, max: 3 }],
}

it('keeps runs in order, and none where there is no file', () => {
  const file = join(folder, 'deep', 'history.jsonl')
  expect(readRuns(file)).toEqual([])
  appendRun(file, run)
  appendRun(file, { ...run, commit: null })
  expect(readRuns(file)).toEqual([run, { ...run, commit: null }])
})

it.each(['{"date":', '[]', '{"date":"x","adapter":"y","driver":"z"}', 'null'])(
  'names the line that is not a run: %s',
  async (line) => {
    const file = join(folder, 'broken.jsonl')
    await rm(file, { force: true })
    appendRun(file, run)
    await appendFile(file, `${line}\n`)
    expect(() => readRuns(file)).toThrow(/broken\.jsonl:2 is not a recorded run/)
  },
)

it('lies beside package.json, from the sources and from dist', () => {
  const { file, checkout } = historyPlace()
  expect(existsSync(join(checkout ?? '', 'package.json'))).toBe(true)
  expect(file).toBe(join(checkout ?? '', '.bench', 'history.jsonl'))
  expect(historyPlace(join(checkout ?? '', 'dist', 'bench'))).toEqual({ file, checkout })
})

it('of an installed package lies in the data folder, and knows no commit', () => {
  const installed = join(folder, 'node_modules', 'illuminator', 'dist', 'bench')
  const at = (env: NodeJS.ProcessEnv) => historyPlace(installed, { XDG_DATA_HOME: '/data', ...env })
  const usual = { file: join('/data', 'illuminator', 'bench-history.jsonl'), checkout: null }
  expect(at({})).toEqual(usual)
  expect(at({ ILLUMINATOR_DATA: ':memory:' })).toEqual(usual)
  expect(at({ ILLUMINATOR_DATA: '/own' }).file).toBe(join('/own', 'bench-history.jsonl'))
  expect(commitOf(null)).toEqual({ commit: null, changed: false })
})

it('knows no commit outside of a checkout', () => {
  expect(commitOf(folder)).toEqual({ commit: null, changed: false })
})
