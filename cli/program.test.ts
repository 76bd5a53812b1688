/** The command line as a whole: help, version, exit codes, errors in one line, and the commands that answer. */
import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { EngineError } from '../engine/errors.ts'
import { CONTRACT_DEFAULTS } from '../server/index.ts'
import { run, start } from '../test/cli-terminal.ts'
import { DEFAULTS } from './options.ts'

test('help and version end with 0 on stdout', async () => {
  const help = await run(['--help'])
  expect(help.code).toBe(0)
  for (const word of ['generate', 'chat', 'serve', 'doctor', 'models', 'logits', 'Exit codes']) {
    expect(help.stdout).toContain(word)
  }
  const version = await run(['--version'])
  expect(version).toMatchObject({ code: 0, stderr: '' })
  expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
})

test.each([
  [['nonsense'], /nonsense/],
  [['generate', 'x', '--nonsense'], /--nonsense/],
  [['generate', 'x', '--temperature', '3'], /0 to 2/],
  [['generate', 'x', '--temperature', ''], /0 to 2/],
  [['generate', 'x', '--max-tokens', '1.5'], /whole number/],
  [['generate', 'x', '--kv', 'f8'], /f16, f32, int8/],
  [['generate', 'x', '--kv-memory', 'much'], /2GB/],
  [['serve', '--max-sequences', '0'], /from 1 to 1024/],
  [['generate', 'x', '--timeout', '5'], /--timeout is about a server/],
  [['generate', ''], /no prompt/],
  [['generate'], /no prompt/],
  [['generate', 'x', '--model', 'best_model.pt'], /pickle.*safetensors/],
  [['serve', '--model', 'checkpoints/best_model.pt'], /pickle.*safetensors/],
  [['serve', '--port', '99999'], /65535/],
  [['serve', '--host', '0.0.0.0'], /--insecure/],
  [['logits', 'm'], /--ids/],
  [['logits', 'm', '--ids', '1,x'], /separated by commas/],
  [['logits', 'm', '--ids', ''], /separated by commas/],
])('%j is a usage error', async (args, message) => {
  const { code, stdout, stderr, loads } = await run(args)
  expect(code).toBe(2)
  expect(stdout).toBe('')
  expect(stderr).toMatch(message)
  expect(loads).toEqual([])
})

test('an engine error is one line, with a stack only when asked for', async () => {
  const error = new EngineError('model', 'config.json: no "hidden_size"')
  const parts = { openEngine: () => Promise.reject(error) }
  const plain = await run(['generate', 'x'], { parts })
  expect(plain.code).toBe(1)
  expect(plain.stderr).toBe('illuminator: config.json: no "hidden_size"\n')
  const debug = await run(['generate', 'x'], { parts, env: { DEBUG: 'a,illuminator' } })
  expect(debug.stderr).toMatch(/\n {4}at /)
})

describe('generate', () => {
  test('puts the answer on stdout and everything else on stderr', async () => {
    const { code, stdout, stderr, engine, loads } = await run([
      'generate',
      'Once',
      '--model',
      'm',
      '--stats',
    ])
    expect(code).toBe(0)
    expect(stdout).toBe('Once upon a time there was a lamp 💡.\n')
    expect(stderr).toMatch(/Loading weights: 100% of 1\.0 MB\n/)
    expect(stderr).toMatch(/4 prompt tokens \(3 cached\) · 10 tokens in .* · stop\n$/)
    expect(engine.closed).toBe(true)
    expect(loads[0]?.model).toBe('m')
    const { signal: _, ...options } = engine.calls[0]?.options ?? {}
    expect(options).toEqual(DEFAULTS)
  })

  test('its defaults are the contract’s', () => {
    expect(CONTRACT_DEFAULTS).toMatchObject(DEFAULTS)
  })

  test('every option reaches the engine', async () => {
    const sampling =
      '--max-tokens 5 --temperature 0 --top-p 0.5 --top-k 0 --min-p 0.1 --seed 7 --stop lamp --stop fish ' +
      '--repetition-penalty 1.1 --presence-penalty -1 --frequency-penalty 1 --ignore-eos'
    const loading =
      '--model m --context 64 --kv int8 --kv-memory 1.5GB --max-sequences 8 --prefill-chunk 32 --draft d --speculate 3 --adapter lavapipe'
    const args = ['generate', 'x', ...sampling.split(' '), ...loading.split(' ')]
    const { code, engine, loads } = await run(args)
    expect(code).toBe(0)
    expect(engine.calls[0]?.options).toMatchObject({
      maxTokens: 5,
      temperature: 0,
      topP: 0.5,
      topK: 0,
      minP: 0.1,
      seed: 7,
      stop: ['lamp', 'fish'],
      repetitionPenalty: 1.1,
      presencePenalty: -1,
      frequencyPenalty: 1,
      ignoreEos: true,
    })
    expect(loads[0]).toMatchObject({
      model: 'm',
      options: {
        contextLength: 64,
        kv: 'int8',
        kvMemory: 1.5 * 2 ** 30,
        maxSequences: 8,
        prefillChunk: 32,
        draft: 'd',
        speculate: 3,
        adapter: 'lavapipe',
      },
    })
  })

  test.each([[['generate', '-']], [['generate']]])('%j reads stdin', async (args) => {
    const { code, engine } = await run(args, { stdin: 'from a pipe\n' })
    expect(code).toBe(0)
    expect(engine.calls[0]?.prompt).toBe('from a pipe')
    expect((await run(args, { stdin: '\n' })).code).toBe(2)
  })

  test('--json prints one object', async () => {
    const { stdout } = await run(['generate', 'x', '--json', '--max-tokens', '2'])
    expect(JSON.parse(stdout)).toMatchObject({
      model: 'fake/tiny-1',
      text: 'Once upon',
      finish_reason: 'length',
      usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
    })
  })

  test('--output writes the file and nothing to stdout', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'illuminator-')), 'out.txt')
    const { code, stdout } = await run(['generate', 'x', '--output', file, '--max-tokens', '1'])
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
    expect(await readFile(file, 'utf8')).toBe('Once\n')
  })

  test('Ctrl-C ends with 130 and closes the engine', async () => {
    const started = start(['generate', 'x'], { engine: { rate: 50 } })
    await expect.poll(started.out).toContain('Once')
    started.interrupt()
    expect(await started.done).toBe(130)
    expect(started.engine.closed).toBe(true)
    expect(started.handlers.size).toBe(0)
    expect(started.err()).not.toContain('illuminator:')
  })
})

describe('logits', () => {
  test('prints exactly the documented JSON, from the exact path', async () => {
    const { stdout, loads, engine } = await run([
      'logits',
      'm',
      '--ids',
      '1,5',
      '--greedy',
      '2',
      '--json',
    ])
    expect(stdout).toBe('{"last_logits":[0.100000001,-2,3],"greedy":[0,1]}\n')
    expect(loads[0]).toMatchObject({ model: 'm', options: { kv: 'f32' } })
    expect(engine.logitCalls).toEqual([{ ids: [1, 5], options: { all: false, greedy: 2 } }])
    const all = await run(['logits', 'm', '--ids', '1,5', '--all', '--kv', 'f16', '--json'])
    const row = [0.100000001, -2, 3]
    const body = { last_logits: row, logits: { 0: row, 1: row }, greedy: [] }
    expect(JSON.parse(all.stdout)).toEqual(body)
    expect(all.loads[0]).toMatchObject({ options: { kv: 'f16' } })
  })

  test('without --json lists the ten best', async () => {
    const { stdout } = await run(['logits', 'm', '--ids', '1,5'])
    expect(stdout).toBe('position 1\n        2  3.00000\n        0  0.10000\n        1  -2.00000\n')
  })

  test('a logit that is no number is an error, never a null in the JSON', async () => {
    const started = start(['logits', 'm', '--ids', '1', '--json'])
    started.engine.last = Float32Array.of(Number.NaN)
    expect(await started.done).toBe(1)
    expect(started.err()).toContain('NaN')
  })
})
