/** Keys on the command line: made, listed, revoked, and followed by the server on the same folder. */
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SCOPES, TIER_NAMES } from '../../server/index.ts'
import { run, start } from '../../test/cli-terminal.ts'
import { KEY_SCOPES, TIERS } from './keys.ts'

const folder = () => mkdtempSync(join(tmpdir(), 'illuminator-keys-'))

test('its tiers and scopes are the server’s', () => {
  expect(TIERS).toEqual(TIER_NAMES)
  expect(KEY_SCOPES).toEqual(SCOPES)
})

test('a key is alone on stdout, shown once and kept as a hash', async () => {
  const data = folder()
  const { code, stdout, stderr } = await run(['keys', 'create', '--name', 'me', '--data', data])
  expect(code).toBe(0)
  expect(stdout).toMatch(/^sk-[0-9a-f]{60}\n$/)
  expect(stderr).toMatch(/^key_[0-9a-f]{12}: "me", active, free, generate batch\. .*once\.\n$/)
  const list = await run(['keys', 'list'], { env: { ILLUMINATOR_DATA: data } })
  expect(list.stdout).toMatch(
    /^key_[0-9a-f]{12} {2}.*"me", active, free, generate batch, never used\n$/,
  )
  const kept = readdirSync(data).map((name) => readFileSync(join(data, name), 'latin1'))
  expect(kept.join()).toContain('"me"'.slice(1, -1))
  expect(kept.join()).not.toContain(stdout.slice(15).trim())
})

test('every option is in the list', async () => {
  const data = folder()
  const options =
    '--tier pro --scope admin --scope models:write --scope admin --expires 2d --rpm 7 --tokens-per-hour 9 --json'
  const args = ['keys', 'create', '--name', 'ci bot', '--data', data, ...options.split(' ')]
  const { id, secret, ...made } = JSON.parse((await run(args)).stdout)
  expect(made).toMatchObject({
    kind: 'key',
    name: 'ci bot',
    tier: 'pro',
    scopes: ['admin', 'models:write'],
    state: 'active',
    requests_per_minute: 7,
    tokens_per_hour: 9,
    revoked_at: null,
    last_used_at: null,
  })
  expect(Date.parse(made.expires_at) - Date.parse(made.created_at)).toBe(2 * 86_400_000)
  const list = await run(['keys', 'list', '--json', '--data', data])
  expect(JSON.parse(list.stdout)).toEqual([{ id, ...made }])
  expect(list.stdout).not.toContain(secret)
})

test('a client has an id and a secret', async () => {
  const { stdout } = await run(['keys', 'create', '--client', '--name', 'app'])
  expect(stdout).toMatch(/^client_id=client_[0-9a-f]{12}\nclient_secret=cs-[0-9a-f]{48}\n$/)
})

test.each([
  [['keys', 'create'], /--name/],
  [['keys', 'create', '--name', ''], /printable/],
  [['keys', 'create', '--name', 'a\nb'], /printable/],
  [['keys', 'create', '--name', 'a', '--tier', 'gold'], /free, basic, pro, enterprise/],
  [['keys', 'create', '--name', 'a', '--scope', 'root'], /generate, batch, models:write, admin/],
  [['keys', 'create', '--name', 'a', '--expires', 'soon'], /30d/],
  [['keys', 'create', '--name', 'a', '--expires', '0d'], /30d/],
  [['keys', 'create', '--name', 'a', '--rpm', '0'], /at least 1/],
  [['keys', 'revoke', 'key_nowhere'], /no key key_nowhere.*keys list/],
  [['keys', 'list', '--data', '/dev/null/x'], /--data/],
  [['serve', '--jwt-issuer', 'me'], /--jwt-audience/],
  [
    ['serve', '--jwt-issuer', 'me', '--jwt-audience', 'you', '--jwt-key-file', '/nowhere'],
    /nowhere cannot be read/,
  ],
])('%j is a usage error', async (args, message) => {
  const { code, stderr, stdout } = await run(args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(message)
})

test('a running server follows: open, then locked, then closed to a revoked key', async () => {
  const data = folder()
  const serving = start(['serve', '--port', '0', '--data', data])
  await expect.poll(serving.out).toContain('every program on this machine')
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(serving.out())?.[0]
  const status = async (key?: string) => {
    const headers: Record<string, string> = key ? { authorization: `Bearer ${key}` } : {}
    return (await fetch(`${url}/info`, { headers })).status
  }
  expect(await status()).toBe(200)
  const { id, secret } = JSON.parse(
    (await run(['keys', 'create', '--name', 'a', '--json', '--data', data])).stdout,
  )
  expect(await status()).toBe(401)
  expect(await status(secret)).toBe(200)
  expect((await run(['keys', 'revoke', id, '--data', data])).stderr).toBe(`${id} is revoked.\n`)
  expect(await status(secret)).toBe(401)
  expect(await status()).toBe(401)
  process.emit('SIGTERM', 'SIGTERM')
  expect(await serving.done).toBe(0)
  const again = start(['serve', '--port', '0', '--data', data, '--host', '0.0.0.0'])
  await expect.poll(again.out).toContain('API keys are needed')
  process.emit('SIGTERM', 'SIGTERM')
  expect(await again.done).toBe(0)
})

test('a folder that holds something else is refused', async () => {
  const data = folder()
  writeFileSync(join(data, 'illuminator.db'), 'this is no database '.repeat(100))
  const { code, stderr } = await run(['keys', 'list', '--data', data])
  expect(code).toBe(2)
  expect(stderr).toMatch(/not a database.*--data/)
})
