/** `illuminator batch` against a fake engine: what it asks, what it writes, and how it goes on. */
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { EngineError } from '../../engine/errors.ts'
import { run, type Setting, start } from '../../test/cli-terminal.ts'

let folder = ''
let prompts = ''
let output = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'illuminator-batch-'))
  prompts = join(folder, 'prompts.txt')
  output = join(folder, 'results.jsonl')
  writeFileSync(prompts, 'one\ntwo\n\nthree\n')
})

const batch = (args: readonly string[] = [], setting: Setting = {}) =>
  run(['batch', prompts, '--output', output, ...args], {
    ...setting,
    env: { XDG_CONFIG_HOME: folder, ...setting.env },
  })
const results = () =>
  readFileSync(output, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
const words = ['Hi', ' there']

test('answers each prompt with the options of all and its own, in the order of the prompts', async () => {
  prompts = join(folder, 'prompts.jsonl')
  writeFileSync(
    prompts,
    '{"prompt":"one"}\n{"prompt":"two","max_tokens":1,"temperature":0,"return_full_text":true}\n',
  )
  const { code, stdout, stderr, engine, loads } = await batch(['--seed', '7'], {
    engine: { words },
  })
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
  expect(engine.calls.map(({ prompt, options }) => ({ prompt, ...options }))).toMatchObject([
    { prompt: 'one', maxTokens: 100, temperature: 0.7, topP: 0.9, topK: 50, seed: 7 },
    { prompt: 'two', maxTokens: 1, temperature: 0, seed: 7 },
  ])
  expect(results()).toEqual([
    {
      index: 0,
      status: 'completed',
      prompt: 'one',
      generated_text: 'Hi there',
      tokens_generated: 2,
      generation_time: expect.any(Number),
      finish_reason: 'stop',
      model_version: 'fake/tiny-1',
      usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    },
    expect.objectContaining({ index: 1, generated_text: 'twoHi', finish_reason: 'length' }),
  ])
  expect(stderr).toMatch(/2 of 2 prompts answered · 3 tokens in .* tokens\/s · .*results\.jsonl\n$/)
  // No more room than there are prompts.
  expect(loads[0]?.options.maxSequences).toBe(2)
  expect(engine.closed).toBe(true)
  expect(readdirSync(folder).sort()).toEqual(['prompts.jsonl', 'prompts.txt', 'results.jsonl'])
})

test('workers times batch size is what the engine serves at once', async () => {
  writeFileSync(prompts, 'x\n'.repeat(100))
  const { loads } = await batch(['--workers', '4', '--batch-size', '10'])
  expect(loads[0]?.options.maxSequences).toBe(40)
  expect(results()).toHaveLength(100)
  output = join(folder, 'other.jsonl')
  const own = await batch(['--max-sequences', '3'])
  expect(own.loads[0]?.options.maxSequences).toBe(3)
})

test('--json prints the counts', async () => {
  const { code, stdout } = await batch(['--json'], { engine: { words } })
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({
    output,
    total: 3,
    completed: 3,
    failed: 0,
    answered_now: 3,
    tokens_generated: 6,
  })
})

test('--chat asks as a user does', async () => {
  const { engine } = await batch(['--chat', '--system-message', 'Be brief'])
  expect(engine.calls[0]?.prompt).toEqual([
    { role: 'system', content: 'Be brief' },
    { role: 'user', content: 'one' },
  ])
})

describe('a later run', () => {
  test('asks only what has no answer, and loads nothing when all have one', async () => {
    await batch()
    const lines = readFileSync(output, 'utf8').trimEnd().split('\n')
    writeFileSync(output, `${lines[2]}\n${lines[0]?.slice(0, 40)}`)
    const later = await batch()
    expect(later.code).toBe(0)
    expect(later.stderr).toMatch(/its last line was cut short; that prompt is asked again\./)
    expect(later.stderr).toMatch(/1 of 3 prompts are answered already/)
    expect(later.engine.calls.map(({ prompt }) => prompt)).toEqual(['one', 'two'])
    expect(results().map(({ index }) => index)).toEqual([0, 1, 2])
    const again = await batch()
    expect({ code: again.code, loads: again.loads }).toEqual({ code: 0, loads: [] })
    expect(again.stderr).toBe(
      `3 of 3 prompts are answered already.\n3 of 3 prompts answered · ${output}\n`,
    )
  })

  test('asks prompts that were added at the end, and refuses a file of others', async () => {
    await batch()
    writeFileSync(prompts, 'one\ntwo\nthree\nfour\n')
    const added = await batch()
    expect(added.engine.calls.map(({ prompt }) => prompt)).toEqual(['four'])
    writeFileSync(prompts, 'two\none\n')
    const other = await batch()
    expect({ code: other.code, loads: other.loads }).toEqual({ code: 2, loads: [] })
    expect(other.stderr).toMatch(/results\.jsonl, line 1 answers another prompt 0 than the file/)
    expect(results()).toHaveLength(4)
  })

  test('asks those that failed when told to; until then the exit code is 1', async () => {
    writeFileSync(prompts, `one\n${'x'.repeat(60)}\nthree\n`)
    const first = await batch([], { engine: { contextLength: 50 } })
    expect(first.code).toBe(1)
    expect(first.stderr).toMatch(/illuminator: 1 of 3 prompts failed: their lines say why, and/)
    expect(results()[1]).toEqual({
      index: 1,
      status: 'failed',
      prompt: 'x'.repeat(60),
      error: 'The prompt has 60 tokens, but the context holds 50.',
      code: 'context_length',
    })
    const same = await batch()
    expect({ code: same.code, loads: same.loads }).toEqual({ code: 1, loads: [] })
    const retried = await batch(['--retry-failed'])
    expect(retried.code).toBe(0)
    expect(retried.engine.calls).toHaveLength(1)
    expect(results().map(({ status }) => status)).toEqual(Array(3).fill('completed'))
  })
})

test('Ctrl-C ends with 130 and keeps what was answered', async () => {
  writeFileSync(prompts, 'x\n'.repeat(100))
  const args = ['batch', prompts, '--output', output, '--batch-size', '4', '--max-tokens', '1']
  const env = { XDG_CONFIG_HOME: folder }
  const started = start(args, { env, engine: { rate: 200 } })
  await expect.poll(() => readFileSync(output, 'utf8').split('\n').length).toBeGreaterThan(5)
  started.interrupt()
  expect(await started.done).toBe(130)
  expect(started.engine.closed).toBe(true)
  const kept = results().length
  expect(started.err()).toContain(`${kept} of 100 prompts are answered; the same command goes on.`)
  expect(readdirSync(folder).sort()).toEqual(['prompts.txt', 'results.jsonl'])
  const later = await batch()
  expect(later.engine.calls).toHaveLength(100 - kept)
  expect(results().map(({ index }) => index)).toEqual([...Array(100).keys()])
})

test('an engine that breaks ends it with its error, and the next run goes on', async () => {
  const failAfter = { tokens: 1, error: new EngineError('gpu', 'device lost') }
  const { code, stderr } = await batch([], { engine: { failAfter } })
  expect(code).toBe(1)
  expect(stderr).toMatch(
    /0 of 3 prompts are answered; the same command goes on\.\n.*device lost\n$/,
  )
  expect((await batch()).code).toBe(0)
})

test('two runs do not write to one file', async () => {
  const args = ['batch', prompts, '--output', output]
  const first = start(args, { env: { XDG_CONFIG_HOME: folder }, engine: { rate: 20 } })
  await expect.poll(() => readdirSync(folder)).toContain('results.jsonl.lock')
  const second = await batch()
  expect(second.code).toBe(1)
  expect(second.stderr).toMatch(/Another run \(process \d+\) writes to .*results\.jsonl\./)
  first.interrupt()
  expect(await first.done).toBe(130)
})

test.each([
  [[], /required option.*--output/],
  [['--output', 'o', '--workers', '0'], /from 1 to 1024/],
  [['--output', 'o', '--workers', '100', '--batch-size', '100'], /10000 prompts at once; at most/],
  [['--output', 'o', '--system-message', 'x'], /--system-message is for chats: add --chat/],
  [['--output', 'nowhere/o'], /cannot be written to nowhere\/o: ENOENT/],
])('%j is a usage error', async (args, message) => {
  const { code, stderr, loads } = await run(['batch', prompts, ...args], {
    env: { XDG_CONFIG_HOME: folder },
  })
  expect({ code, loads }).toEqual({ code: 2, loads: [] })
  expect(stderr).toMatch(message)
})
