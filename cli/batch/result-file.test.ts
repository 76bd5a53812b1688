/** Results on disk: whatever ended the last run, at most the last line is lost, and nothing is there twice. */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { UsageError } from '../exit.ts'
import type { Prompt } from './prompts.ts'
import { ResultFile } from './result-file.ts'
import { type ResultLine, writeLine } from './result-line.ts'

let folder = ''
let path = ''
let told: string[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'illuminator-results-'))
  path = join(folder, 'results.jsonl')
  told = []
})

const TEXTS = ['zero', 'ünë\n', '{"index":', '💡', '', 'x'.repeat(3000)]
const prompts: Prompt[] = TEXTS.map((text, index) => ({
  index,
  text,
  returnFullText: false,
  options: {},
}))
const done = (index: number, text = `answer ${index} 💡`): ResultLine => ({
  index,
  status: 'completed',
  prompt: TEXTS[index] ?? '',
  generated_text: text,
  tokens_generated: 3,
  generation_time: 0.5,
  finish_reason: 'stop',
  model_version: 'm',
  usage: null,
})
const failed = (index: number): ResultLine => ({
  index,
  status: 'failed',
  prompt: TEXTS[index] ?? '',
  error: 'Input too long',
  code: 'context_length',
})
const open = (dropFailed = false) =>
  ResultFile.open(path, prompts, { dropFailed, tell: (line) => told.push(line) })
const lines = () => readFileSync(path, 'utf8').trimEnd().split('\n')
const indices = () => lines().map((line) => JSON.parse(line).index)

async function wrote(...results: ResultLine[]): Promise<void> {
  const file = await open()
  for (const result of results) await file.add(result)
  await file.close()
}

test('lines are there as soon as they are added, and a later run finds them', async () => {
  const file = await open()
  await Promise.all([file.add(done(3)), file.add(failed(1))])
  expect(lines()).toEqual([writeLine(done(3)).trimEnd(), writeLine(failed(1)).trimEnd()])
  await file.close()
  const later = await open()
  expect([later.answered, later.failed]).toEqual([2, 1])
  expect(prompts.map(({ index }) => later.has(index))).toEqual([
    false,
    true,
    false,
    true,
    false,
    false,
  ])
  await later.add(done(0))
  await later.close()
  expect(indices()).toEqual([3, 1, 0])
  expect(told).toEqual([])
})

test('cut anywhere, only the line that was cut is asked again', async () => {
  const all = [done(5), done(2), failed(1), done(3)]
  const whole = Buffer.from(all.map(writeLine).join(''))
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length), fc.nat(40), async (cut, zeros) => {
      const bytes = Buffer.concat([whole.subarray(0, cut), Buffer.alloc(zeros)])
      writeFileSync(path, bytes)
      const file = await open()
      const kept = all.filter(({ index }) => file.has(index))
      // As many as are whole; a line that only lacks its break is.
      const ends = all.map((_, at) =>
        Buffer.byteLength(
          all
            .slice(0, at + 1)
            .map(writeLine)
            .join(''),
        ),
      )
      const wholes = ends.filter((end) => end <= cut || (end - 1 <= cut && zeros === 0)).length
      expect(kept).toEqual(all.slice(0, wholes))
      for (const result of all) if (!file.has(result.index)) await file.add(result)
      await file.order()
      await file.close()
      expect(indices()).toEqual([1, 2, 3, 5])
    }),
    { numRuns: 300 },
  )
})

describe('order', () => {
  test('is that of the prompts, and the file is never half of one', async () => {
    await wrote(done(4), done(0), failed(3))
    chmodSync(path, 0o640)
    const file = await open()
    await file.order()
    expect(indices()).toEqual([0, 3, 4])
    // What comes later still finds its place.
    await file.add(done(1))
    await file.order()
    await file.close()
    expect(indices()).toEqual([0, 1, 3, 4])
    expect(lines()[1]).toBe(writeLine(done(1)).trimEnd())
    expect(statSync(path).mode & 0o777).toBe(0o640)
    expect(readdirSync(folder)).toEqual(['results.jsonl'])
  })

  test('that holds already changes nothing', async () => {
    await wrote(done(0), done(3))
    const { ino } = statSync(path)
    const file = await open()
    await file.order()
    await file.close()
    expect(statSync(path).ino).toBe(ino)
  })
})

test('failed ones are forgotten when they are to be asked again', async () => {
  await wrote(failed(2), done(0), failed(1))
  const file = await open(true)
  expect([file.answered, file.failed]).toEqual([1, 0])
  expect(indices()).toEqual([0])
  await file.add(done(2))
  await file.close()
  expect(indices()).toEqual([0, 2])
})

describe('a file of something else is refused and left as it is', () => {
  const other = { ...done(0), prompt: 'another' }
  test.each([
    ['notes', /line 1 is no result of a batch/],
    ['notes\n', /line 1 is no result of a batch/],
    [`${writeLine(done(1))}\n${writeLine(done(2))}`, /line 2 is no result/],
    [`${writeLine(done(1))}{"index":2,"sta\n${writeLine(done(3))}`, /line 2 is no result/],
    [writeLine(other), /line 1 answers another prompt 0 than the file of prompts/],
    [writeLine({ ...done(0), index: 6 }), /line 1 answers another prompt 6/],
    [writeLine(done(1)) + writeLine(failed(1)), /line 2 answers prompt 1 once more/],
  ])('%j', async (content, message) => {
    writeFileSync(path, content)
    const error = await open().catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(UsageError)
    expect((error as UsageError).message).toMatch(message)
    expect(readFileSync(path, 'utf8')).toBe(content)
  })
})

test('a line that was cut short is said', async () => {
  writeFileSync(path, writeLine(done(1)).slice(0, 30))
  await (await open()).close()
  expect(told).toEqual([expect.stringContaining('cut short')])
  expect(readFileSync(path, 'utf8')).toBe('')
})

test('what no later run could go on with is refused', async () => {
  path = folder
  await expect(open()).rejects.toThrow(/is no regular file/)
  path = join(folder, 'nowhere', 'results.jsonl')
  await expect(open()).rejects.toThrow(/cannot be written to .*ENOENT/)
})
