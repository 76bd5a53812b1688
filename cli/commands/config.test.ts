/** `config`: what is set holds, wins in its turn, is kept from others' eyes, and is refused where it is no setting. */
import { chmod, mkdtemp, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { run } from '../../test/cli-terminal.ts'

let home: string
let file: string

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'illuminator-config-'))
  file = join(home, 'illuminator', 'client.json')
})

const config = (args: string[], env: Record<string, string> = {}, stdin?: string) =>
  run(['config', ...args], {
    env: { XDG_CONFIG_HOME: home, ...env },
    ...(stdin === undefined ? {} : { stdin }),
  })

test('what is set is kept, for its owner only', async () => {
  expect(await config(['set', 'api_key', 'sk-0123456789abcdef'])).toMatchObject({
    code: 0,
    stdout: '',
  })
  expect(await config(['set', 'url', 'localhost:9000/v1/'])).toMatchObject({ code: 0 })
  expect(await config(['set', 'max-tokens', '7'])).toMatchObject({ code: 0 })
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
    api_key: 'sk-0123456789abcdef',
    base_url: 'http://localhost:9000',
    max_tokens: 7,
  })
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect((await stat(join(home, 'illuminator'))).mode & 0o777).toBe(0o700)
})

test('a file that others could read is closed to them when it is written', async () => {
  await config(['set', 'model', 'm'])
  await chmod(file, 0o644)
  await config(['set', 'api_key', 'k'])
  expect((await stat(file)).mode & 0o777).toBe(0o600)
})

test('a key may come from stdin, and no output shows it but "get"', async () => {
  const set = await config(['set', 'api_key'], {}, 'sk-0123456789abcdef\n')
  expect(set).toMatchObject({ code: 0, stdout: '' })
  expect(set.stderr).toMatch(/^api_key = …cdef \(/)
  expect((await config(['list'])).stdout).toContain(`api_key         …cdef  (${file})\n`)
  expect((await config(['list', '--json'])).stdout).not.toContain('0123456789')
  expect((await config(['get', 'api_key'])).stdout).toBe('sk-0123456789abcdef\n')
})

test('list says what holds and where it is from', async () => {
  await config(['set', 'model', 'from-file'])
  const env = { ILLUMINATOR_MODEL: 'from-variable, another', ILLUMINATOR_URL: '' }
  const { stdout } = await config(['list', '--json'], env)
  expect(JSON.parse(stdout)).toMatchObject({
    file,
    settings: {
      api_key: { value: null, source: null },
      base_url: { value: null, source: null },
      model: { value: 'from-variable', source: 'ILLUMINATOR_MODEL' },
      timeout: { value: 60, source: 'default' },
      max_retries: { value: 3, source: 'default' },
      retry_delay: { value: 1, source: 'default' },
    },
  })
  const set = await config(['set', 'model', 'other'], env)
  expect(set.stderr).toContain('ILLUMINATOR_MODEL is set too, and wins.')
})

test('reset forgets one setting, or all with the file', async () => {
  await config(['set', 'model', 'm'])
  await config(['set', 'temperature', '0'])
  await config(['reset', 'model'])
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ temperature: 0 })
  expect(await config(['get', 'model'])).toMatchObject({ code: 1, stdout: '' })
  expect(await config(['reset'])).toMatchObject({ code: 0 })
  await expect(stat(file)).rejects.toThrow('ENOENT')
  expect(await config(['reset'])).toMatchObject({ code: 0 })
})

test.each([
  [['set', 'modle', 'x'], /no setting "modle"; did you mean model\?/],
  [['set', 'xyzzyplugh', 'x'], /known are api_key, base_url, model/],
  [['get', 'apikey2'], /did you mean api_key\?/],
  [['reset', 'nonsense'], /known are/],
  [['set', 'temperature', '3'], /temperature is "3": Expected a number from 0 to 2/],
  [['set', 'base_url', 'ftp://x'], /base_url is "ftp:\/\/x": Expected an address such as http/],
  [['set', 'model', ' '], /No value for model; "illuminator config reset model"/],
  [['set', 'model'], /No value for model/],
])('%j is a usage error', async (args, message) => {
  const { code, stdout, stderr } = await config(args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(message)
})

test.each([
  ['{', /cannot be read/],
  ['[]', /one JSON object/],
  ['{"modle": "x"}', /no setting "modle" in .*client\.json; did you mean model\?/],
  ['{"model": null}', /has null as "model": expected a string or a number/],
  ['{"timeout": "soon"}', /"timeout" in .*client\.json is "soon": Expected a number/],
])(
  'a file of %s is a usage error that names it, and reset gets rid of it',
  async (text, message) => {
    await config(['set', 'model', 'm'])
    await writeFile(file, text)
    const { code, stderr } = await config(['list'])
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
    expect(await config(['reset'])).toMatchObject({ code: 0 })
    expect(await config(['list'])).toMatchObject({ code: 0 })
  },
)

test('what is set holds for who generates: a flag wins over a variable, that over the file', async () => {
  await config(['set', 'model', 'from-file'])
  await config(['set', 'temperature', '0.25'])
  const models = async (args: string[], env: Record<string, string> = {}) => {
    const setting = { env: { XDG_CONFIG_HOME: home, ...env }, stdin: 'Hi' }
    const { loads, engine } = await run(args, setting)
    return [loads[0]?.model, engine.calls[0]?.options.temperature]
  }
  const env = { ILLUMINATOR_MODEL: 'from-variable' }
  for (const command of ['generate', 'chat', 'interactive']) {
    expect(await models([command])).toEqual(['from-file', 0.25])
    expect(await models([command], env)).toEqual(['from-variable', 0.25])
    const flags = [command, '--model', 'flag', '--temperature', '1']
    expect(await models(flags, env)).toEqual(['flag', 1])
  }
})
