/**
 * `illuminator batch` that is killed, and torn in the middle of a line: the same command goes on, and in the end each
 * prompt has one line. The real model: `test/batch-real-model.ts`, by hand.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { countLines, killHard, parsedLines, type Run, startScript, tear } from './batch-restarts.ts'

const PROMPTS = 200
const TIMEOUT = { timeout: 60_000, interval: 5 }

let folder = ''
let prompts = ''
let output = ''
const runs = new Set<Run>()
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'illuminator-batch-kill-'))
  prompts = join(folder, 'prompts.txt')
  output = join(folder, 'results.jsonl')
  writeFileSync(prompts, Array.from({ length: PROMPTS }, (_, i) => `prompt ${i}\n`).join(''))
})
afterEach(async () => {
  for (const run of runs) await killHard(run)
  runs.clear()
  rmSync(folder, { recursive: true })
})

/** Prompts whose answers tell them apart. */
function writeDistinct(): void {
  prompts = join(folder, 'prompts.jsonl')
  const lines = Array.from({ length: PROMPTS }, (_, i) => ({
    prompt: `prompt ${i}`,
    max_tokens: 1 + (i % 4),
    return_full_text: true,
  }))
  writeFileSync(prompts, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
}

function start(mostKilobytes?: number): Run {
  const args = [
    'slow',
    'batch',
    prompts,
    '--output',
    output,
    '--batch-size',
    '16',
    '--max-tokens',
    '2',
  ]
  const env = { XDG_CONFIG_HOME: folder }
  const run = startScript('signals-server.ts', args, env, mostKilobytes)
  runs.add(run)
  return run
}
/** So many answers are there. */
const answered = (count: number) =>
  expect.poll(() => countLines(output), TIMEOUT).toBeGreaterThanOrEqual(count)

/** One line a prompt, in their order, and nothing else is left. */
function expectWhole(text = (_: number) => 'aa'): void {
  expect(parsedLines(output).map(({ index, generated_text }) => [index, generated_text])).toEqual(
    Array.from({ length: PROMPTS }, (_, i) => [i, text(i)]),
  )
  expect(readdirSync(folder)).toContain('results.jsonl')
  expect(readdirSync(folder).filter((name) => !/^(prompts|results)\.\w+$/.test(name))).toEqual([])
}

test('200 prompts killed twice give 200 lines, in the order of the prompts', async () => {
  writeDistinct()
  for (const count of [40, 110]) {
    const run = start()
    await answered(count)
    await killHard(run)
    tear(output)
    expect(countLines(output)).toBeLessThan(PROMPTS)
  }
  const last = start()
  expect(await last.ended, last.err()).toBe(0)
  expect(last.err()).toMatch(/its last line was cut short; that prompt is asked again/)
  expectWhole((i) => `prompt ${i}${'a'.repeat(1 + (i % 4))}`)
}, 120_000)

test('a signal is heard: what is answered is written, and the exit code is 130', async () => {
  for (const [signal, count] of [
    ['SIGINT', 30],
    ['SIGTERM', 80],
  ] as const) {
    const run = start()
    await answered(count)
    run.child.kill(signal)
    expect(await run.ended, run.err()).toBe(130)
    const lines = parsedLines(output)
    expect(run.err()).toContain(`${lines.length} of ${PROMPTS} prompts are answered; the same`)
    expect(new Set(lines.map(({ index }) => index)).size).toBe(lines.length)
  }
  const last = start()
  expect(await last.ended, last.err()).toBe(0)
  expectWhole()
}, 120_000)

test('a disk that is full ends it with whole lines, and once there is room it goes on', async () => {
  const full = start(16)
  expect(await full.ended).toBe(1)
  expect(full.err()).toMatch(/results cannot be written to .*results\.jsonl: EFBIG/)
  expect(parsedLines(output)).toHaveLength(countLines(output))
  const last = start()
  expect(await last.ended, last.err()).toBe(0)
  expect(last.err()).not.toContain('cut short')
  expectWhole()
}, 120_000)
