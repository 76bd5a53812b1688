/** `serve` as operators meet it: where its settings come from, and what it logs. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { EngineError } from '../../engine/errors.ts'
import { run } from '../../test/cli-terminal.ts'
import { serving } from '../../test/serving.ts'

test('variables and a file reach the engine', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'illuminator-')), 'config.json')
  writeFileSync(file, JSON.stringify({ maxSequences: 4, kvMemory: '1GB', adapter: 'gpu' }))
  const env = { ILLUMINATOR_CONFIG: file, ILLUMINATOR_ADAPTER: 'lavapipe', ILLUMINATOR_MODEL: 'm' }
  const { loads } = await serving(['--kv', 'int8'], { env })
  expect(loads).toMatchObject([
    {
      model: 'm',
      options: { kv: 'int8', kvMemory: 2 ** 30, maxSequences: 4, adapter: 'lavapipe' },
    },
  ])
})

test('the file lies in the data folder where none is named', async () => {
  const data = mkdtempSync(join(tmpdir(), 'illuminator-'))
  writeFileSync(join(data, 'config.json'), JSON.stringify({ maxSequences: 3 }))
  for (const [args, env] of [
    [['--data', data], {}],
    [[], { ILLUMINATOR_DATA: data }],
  ] as const) {
    const { loads } = await serving([...args], { env })
    expect(loads).toMatchObject([{ options: { maxSequences: 3 } }])
  }
  const { loads } = await serving([], { env: { XDG_DATA_HOME: join(data, 'other') } })
  expect(loads[0]?.options).not.toHaveProperty('maxSequences')
})

test('an unknown variable or key is a usage error before anything starts', async () => {
  const variable = await run(['serve'], { env: { ILLUMINATOR_PROT: '1' } })
  expect(variable).toMatchObject({ code: 2, stdout: '', loads: [] })
  expect(variable.stderr).toContain('did you mean ILLUMINATOR_PORT?')
  const range = await run(['serve'], { env: { ILLUMINATOR_PORT: '99999' } })
  expect(range).toMatchObject({ code: 2, stdout: '', loads: [] })
  expect(range.stderr).toContain('0 to 65535')
})

test('where stderr is no terminal, every line of it is JSON: start, requests, shutdown', async () => {
  const { err } = await serving([], {}, async (url) => {
    await fetch(`${url}/generate`, { method: 'POST', body: '{"prompt":"x"}' })
  })
  const lines = err()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { level: string; msg: string })
  expect(lines.map(({ msg }) => msg)).toEqual([
    'listening',
    expect.stringContaining('Loading weights'),
    'ready',
    'POST /generate 200',
    expect.stringContaining('SIGTERM'),
    'closed',
  ])
})

test('--log-level and --log-format', async () => {
  const quiet = await serving(['--log-level', 'error'])
  expect(quiet.err()).toBe('')
  const short = await serving(['--log-format', 'text'])
  expect(short.err()).toMatch(/^\d\d:\d\d:\d\d info listening url=http/m)
  expect((await run(['serve', '--log-level', 'loud'])).stderr).toContain('fatal, error, warn')
})

test('a load that fails is logged with its causes', async () => {
  const error = new EngineError('model', 'no such tensor', { cause: new Error('a shard is cut') })
  const { code, stderr } = await run(['serve', '--port', '0'], {
    parts: { openEngine: () => Promise.reject(error) },
  })
  expect(code).toBe(1)
  const fatal = stderr.split('\n').find((line) => line.includes('"fatal"'))
  expect(JSON.parse(fatal ?? '')).toMatchObject({
    error: { message: 'no such tensor', cause: { message: 'a shard is cut' } },
  })
})
