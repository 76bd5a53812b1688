/** Flags before variables before the file before defaults; what is not known is an error that names the nearest known. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { UsageError } from '../exit.ts'
import { real, several, whole } from '../options.ts'
import { nearest } from './nearest.ts'
import { expectationOf, settingsOf } from './settings.ts'
import { applySettings } from './sources.ts'

const folder = mkdtempSync(join(tmpdir(), 'illuminator-config-'))
let files = 0

function fileOf(content: unknown): string {
  const path = join(folder, `${files++}.json`)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

interface Given {
  args?: string[]
  env?: Record<string, string>
  file?: unknown
  usual?: string | null
}

function flagsOf({ args = [], env = {}, file, usual = null }: Given): Record<string, unknown> {
  let flags: Record<string, unknown> = {}
  const config = file === undefined ? [] : ['--config', fileOf(file)]
  new Command()
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .option('--host <host>', 'address', '127.0.0.1')
    .option('--port <port>', 'port', whole(0, 65535), 8000)
    .option('--drain <seconds>', 'time', real(0, 3600), 30)
    .option('--insecure', 'all')
    .option('--allowed-host <name>', 'more', several)
    .option('--config <file>', 'file')
    .hook('preAction', (command) => applySettings(command, env, usual))
    .action((given: Record<string, unknown>) => {
      flags = given
    })
    .parse([...args, ...config], { from: 'user' })
  return flags
}

test('flags win over variables, variables over the file, the file over defaults', () => {
  const all = { args: ['--port', '1'], env: { ILLUMINATOR_PORT: '2' }, file: { port: 3 } }
  expect(flagsOf(all).port).toBe(1)
  expect(flagsOf({ ...all, args: [] }).port).toBe(2)
  expect(flagsOf({ ...all, args: [], env: {} }).port).toBe(3)
  expect(flagsOf({}).port).toBe(8000)
  const { ILLUMINATOR_PORT: port, ...rest } = { ILLUMINATOR_PORT: '', ILLUMINATOR_HOST: '::1' }
  expect(flagsOf({ env: { ...rest, ILLUMINATOR_PORT: port } })).toMatchObject({
    host: '::1',
    port: 8000,
  })
})

test('every kind of setting has its way in each source', () => {
  const wanted = { insecure: true, allowedHost: ['a.example', 'b.example'], drain: 1.5 }
  const env = {
    ILLUMINATOR_INSECURE: '1',
    ILLUMINATOR_ALLOWED_HOST: 'a.example, b.example',
    ILLUMINATOR_DRAIN: '1.5',
  }
  expect(flagsOf({ env })).toMatchObject(wanted)
  expect(flagsOf({ file: wanted })).toMatchObject(wanted)
  expect(flagsOf({ env: { ILLUMINATOR_INSECURE: 'off' }, file: { insecure: true } })).toMatchObject(
    {
      insecure: false,
    },
  )
})

test('a file is also named by its variable, or lies in its usual place', () => {
  const path = fileOf({ port: 7 })
  expect(flagsOf({ env: { ILLUMINATOR_CONFIG: path } }).port).toBe(7)
  expect(flagsOf({ usual: path }).port).toBe(7)
  expect(flagsOf({ usual: join(folder, 'nowhere.json') }).port).toBe(8000)
  expect(flagsOf({ usual: path, file: { port: 8 } }).port).toBe(8)
})

test.each<[Given, RegExp]>([
  [
    { env: { ILLUMINATOR_PROT: '1' } },
    /ILLUMINATOR_PROT is not known; did you mean ILLUMINATOR_PORT\?/,
  ],
  [{ env: { ILLUMINATOR_XYZZYPLUGH: '1' } }, /known are ILLUMINATOR_HOST, ILLUMINATOR_PORT/],
  [{ env: { ILLUMINATOR_PORT: 'x' } }, /ILLUMINATOR_PORT is "x": Expected a whole number from 0/],
  [{ env: { ILLUMINATOR_PORT: 'tcp://10.0.0.1:80' } }, /enableServiceLinks: false/],
  [{ env: { ILLUMINATOR_INSECURE: 'perhaps' } }, /expected 1 or 0/],
  [{ file: { prot: 1 } }, /"prot" in .*json is not known; did you mean port\?/],
  [{ file: { 'allowed-host': [] } }, /did you mean allowedHost\?/],
  [{ file: { config: 'other.json' } }, /"config" in .*json is not known/],
  [{ file: { port: 70000 } }, /"port" in .*json is "70000": Expected a whole number from 0/],
  [{ file: { port: null } }, /"port" in .*json is null: expected a string, or a number/],
  [{ file: { host: 5 } }, /"host" in .*json is 5/],
  [{ file: { insecure: 'yes' } }, /expected true or false/],
  [{ file: { allowedHost: 7 } }, /expected a string or a list of strings/],
  [{ file: '{' }, /cannot be read/],
  [{ file: [] }, /one JSON object/],
  [{ args: ['--config', '/nowhere/at/all.json'] }, /nowhere.*cannot be read/],
])('%j is a usage error', (given, message) => {
  expect(() => flagsOf(given)).toThrow(UsageError)
  expect(() => flagsOf(given)).toThrow(message)
})

test('a service of Kubernetes that is called illuminator is no mistake of the operator', () => {
  const env = { ILLUMINATOR_SERVICE_HOST: '10.0.0.1', ILLUMINATOR_PORT_8000_TCP: 'tcp://10.0.0.1' }
  expect(flagsOf({ env }).port).toBe(8000)
})

test('what clients on the same machine read is no setting of the server', () => {
  const env = { ILLUMINATOR_API_KEY: 'sk-1', ILLUMINATOR_URL: 'http://a', ILLUMINATOR_BASE_URL: '' }
  expect(flagsOf({ env }).port).toBe(8000)
})

test('what a setting takes is said by its own parser', () => {
  const command = new Command().option('--port <port>', 'port', whole(0, 65535), 8000)
  expect(settingsOf(command).map(expectationOf)).toEqual(['whole number from 0 to 65535'])
})

test('one slip of the finger is found again', () => {
  const known = ['maxSequences', 'prefillChunk', 'allowedHost', 'kvMemory', 'adapter']
  const slip = fc.tuple(
    fc.constantFrom(...known),
    fc.nat(),
    fc.constantFrom('drop', 'swap', 'type'),
  )
  fc.assert(
    fc.property(slip, ([word, place, kind]) => {
      const at = place % (word.length - 1)
      const [head, a = '', b = '', tail] = [
        word.slice(0, at),
        word[at],
        word[at + 1],
        word.slice(at + 2),
      ]
      const typed =
        kind === 'drop'
          ? head + b + tail
          : kind === 'swap'
            ? head + b + a + tail
            : `${head}x${b}${tail}`
      expect(nearest(typed, known)).toBe(word)
    }),
  )
  expect(nearest('xyzzy', known)).toBe(null)
})
