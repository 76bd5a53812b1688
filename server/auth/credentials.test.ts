/** Keys and clients: kept as hashes, ended at once, and never opened by anything else. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { KEY } from '../../test/server-state.ts'
import { IN_MEMORY } from '../store/data-folder.ts'
import { Database } from '../store/database.ts'
import { Credentials, callerOf } from './credentials.ts'

async function setUp() {
  const clock = { now: 1_700_000_000_000 }
  const database = await Database.open(IN_MEMORY)
  return { clock, database, credentials: new Credentials(database, () => clock.now) }
}

test('a key opens what it was made for', async () => {
  const { credentials } = await setUp()
  const limits = { requestsPerMinute: 7, tokensPerHour: null }
  const { credential, secret } = await credentials.create({ ...KEY, tier: 'basic', limits })
  const found = await credentials.checkKey(secret)
  expect(found).toEqual({ ...credential, lastUsedAt: null })
  expect(callerOf(credential)).toMatchObject({
    id: credential.id,
    tier: 'basic',
    limits: { requestsPerMinute: 7, tokensPerHour: 250_000 },
  })
})

test('the database holds a hash and not the secret', async () => {
  const { credentials, database } = await setUp()
  const { secret } = await credentials.create(KEY)
  const { rows } = await database.execute('SELECT * FROM credentials')
  expect(rows[0]?.hash).toMatch(/^[0-9a-f]{64}$/)
  expect(JSON.stringify(rows)).not.toContain(secret.slice(-48))
})

test('nothing but the whole secret opens', async () => {
  const { credentials } = await setUp()
  const { secret } = await credentials.create(KEY)
  const near = fc
    .tuple(fc.nat(secret.length - 1), fc.constantFrom('0', 'f', 'g', ' ', '', "'", '%', '\0'))
    .map(([at, letter]) => secret.slice(0, at) + letter + secret.slice(at + 1))
  const other = fc.oneof(
    near.filter((text) => text !== secret),
    fc.string({ unit: 'binary' }),
    fc.constantFrom(secret.toUpperCase(), `${secret}0`, `${secret}\n`, secret.slice(3), ''),
    fc.string().map((text) => `sk-' OR 1=1 --${text}`),
  )
  await fc.assert(
    fc.asyncProperty(other, async (text) => {
      expect(await credentials.checkKey(text)).toBe('unknown')
    }),
    { numRuns: 2000 },
  )
})

test('a revoked key and one whose time is up say so to who holds them', async () => {
  const { clock, credentials } = await setUp()
  const { credential, secret } = await credentials.create({ ...KEY, expiresAt: clock.now + 1000 })
  clock.now += 999
  expect(await credentials.checkKey(secret)).toMatchObject({ id: credential.id })
  clock.now += 1
  expect(await credentials.checkKey(secret)).toBe('expired')
  expect(await credentials.revoke(credential.id)).toBe(true)
  expect(await credentials.checkKey(secret)).toBe('revoked')
  const wrong = `${secret.slice(0, -1)}${secret.endsWith('0') ? '1' : '0'}`
  expect(await credentials.checkKey(wrong)).toBe('unknown')
  expect(await credentials.revoke('key_nowhere')).toBe(false)
})

test('a client’s secret is no key and the other way round', async () => {
  const { credentials } = await setUp()
  const key = await credentials.create(KEY)
  const client = await credentials.create({ ...KEY, kind: 'client' })
  const { id } = client.credential
  expect(await credentials.checkClient(id, client.secret)).toMatchObject({ id })
  expect(await credentials.checkKey(client.secret)).toBe('unknown')
  expect(await credentials.checkClient(key.credential.id, key.secret)).toBe('unknown')
  expect(await credentials.checkClient(id, key.secret)).toBe('unknown')
})

test('there are keys from the first on, also when all are revoked', async () => {
  const { credentials, database } = await setUp()
  expect(await credentials.exist()).toBe(false)
  const { credential } = await credentials.create(KEY)
  await credentials.revoke(credential.id)
  expect(await credentials.exist()).toBe(true)
  expect(await new Credentials(database).exist()).toBe(true)
})

test('the last use is noted, to the minute', async () => {
  const { clock, credentials } = await setUp()
  const { secret } = await credentials.create(KEY)
  const used = async () => (await credentials.list())[0]?.lastUsedAt
  const first = clock.now
  await credentials.checkKey(secret)
  clock.now += 59_000
  await credentials.checkKey(secret)
  expect(await used()).toBe(first)
  clock.now += 1000
  await credentials.checkKey(secret)
  expect(await used()).toBe(clock.now)
})
