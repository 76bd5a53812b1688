/** RFC 8725: what a token says of itself never widens what the configured key allows. */
import { createHmac, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { bearer, stateApp } from '../../test/server-state.ts'
import { createJwtVerifier, type JwtSettings } from './jwt.ts'

const WHO = { issuer: 'https://issuer.example', audience: 'illuminator-test' }
const SECRET = 'a secret of more than thirty-two bytes'
const NOW = Date.UTC(2026, 0, 1)
const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 })
const P256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const ED = generateKeyPairSync('ed25519')

const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }) as string
const verifier = (key: Partial<JwtSettings>, log: (line: string) => void = () => {}) =>
  createJwtVerifier({ ...WHO, ...key }, log, () => NOW)

interface Claims {
  [name: string]: unknown
}

const GOOD = { iss: WHO.issuer, aud: WHO.audience, sub: 'ada', exp: NOW / 1000 + 60 }

function sign(alg: string, key: KeyObject | Uint8Array, claims: Claims = GOOD, header = {}) {
  return new SignJWT(claims).setProtectedHeader({ alg, ...header }).sign(key)
}

const hs256 = (claims: Claims = GOOD, header = {}) =>
  sign('HS256', Buffer.from(SECRET), claims, header)

/** Without a library that would refuse to. */
function byHand(header: object, claims: object, key?: string | Buffer): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const text = `${part(header)}.${part(claims)}`
  return `${text}.${key ? createHmac('sha256', key).update(text).digest('base64url') : ''}`
}

describe('a token of the configured key is good', () => {
  test.each<[string, Partial<JwtSettings>, KeyObject | Uint8Array]>([
    ['HS256', { secret: SECRET }, Buffer.from(SECRET)],
    ['RS256', { publicKey: pem(RSA.publicKey) }, RSA.privateKey],
    ['ES256', { publicKey: pem(P256.publicKey) }, P256.privateKey],
    ['EdDSA', { publicKey: pem(ED.publicKey) }, ED.privateKey],
  ])('%s', async (alg, key, privateKey) => {
    const verify = await verifier(key)
    expect(await verify(await sign(alg, privateKey))).toMatchObject({ sub: 'ada' })
  })

  test('of a set in a file, found by its kid', async () => {
    const keys = [
      { ...(await exportJWK(RSA.publicKey)), kid: 'r' },
      { ...(await exportJWK(P256.publicKey)), kid: 'p' },
      { ...(await exportJWK(ED.publicKey)), kid: 'e' },
    ]
    const jwks = join(mkdtempSync(join(tmpdir(), 'illuminator-')), 'jwks.json')
    writeFileSync(jwks, JSON.stringify({ keys }))
    const verify = await verifier({ jwks })
    for (const [alg, kid, key] of [
      ['RS256', 'r', RSA.privateKey],
      ['ES256', 'p', P256.privateKey],
      ['EdDSA', 'e', ED.privateKey],
    ] as const) {
      expect(await verify(await sign(alg, key, GOOD, { kid }))).toMatchObject({ sub: 'ada' })
    }
    const elsewhere = await sign('ES256', P256.privateKey, GOOD, { kid: "../../e' OR 1=1" })
    await expect(verify(elsewhere)).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  test('of a set that is fetched; without it the answer is 503 and not 401', async () => {
    const keys = [{ ...(await exportJWK(P256.publicKey)), kid: 'p' }]
    const server = createServer((_, response) => response.end(JSON.stringify({ keys })))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const jwks = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`
    const verify = await verifier({ jwks })
    const token = await sign('ES256', P256.privateKey, GOOD, { kid: 'p' })
    expect(await verify(token)).toMatchObject({ sub: 'ada' })
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    const logged: string[] = []
    const blind = await verifier({ jwks }, (line) => logged.push(line))
    await expect(blind(token)).rejects.toMatchObject({ code: 'key_server_unavailable' })
    expect(logged.join()).toContain(jwks)
  })
})

describe('a token is refused', () => {
  const seconds = NOW / 1000
  const cases: [string, () => string | Promise<string>, RegExp][] = [
    ['without a signature', () => byHand({ alg: 'none' }, GOOD), /algorithm|not valid/],
    [
      'with alg none and a signature',
      () => byHand({ alg: 'none' }, GOOD, SECRET),
      /algorithm|not valid/,
    ],
    [
      'signed with another secret',
      () => byHand({ alg: 'HS256' }, GOOD, 'x'.repeat(40)),
      /not valid/,
    ],
    ['of another algorithm', () => sign('HS512', Buffer.from(SECRET.repeat(2))), /algorithm/],
    ['without exp', () => hs256({ ...GOOD, exp: undefined }), /'exp' is missing/],
    ['that has expired', () => hs256({ ...GOOD, exp: seconds - 6 }), /expired/],
    ['whose time has not come', () => hs256({ ...GOOD, nbf: seconds + 6 }), /'nbf'/],
    ['of another issuer', () => hs256({ ...GOOD, iss: 'https://other.example' }), /'iss'/],
    ['without an issuer', () => hs256({ ...GOOD, iss: undefined }), /'iss' is missing/],
    ['for another audience', () => hs256({ ...GOOD, aud: 'other' }), /'aud'/],
    ['without an audience', () => hs256({ ...GOOD, aud: undefined }), /'aud' is missing/],
    ['without a subject', () => hs256({ ...GOOD, sub: undefined }), /'sub' is missing/],
    ['with exp as text', () => hs256({ ...GOOD, exp: '9999999999' }), /'exp'/],
    [
      'with a critical header',
      () => byHand({ alg: 'HS256', crit: ['x'], x: 1 }, GOOD, SECRET),
      /not valid/,
    ],
    ['longer than 8 KiB', () => hs256({ ...GOOD, x: 'x'.repeat(8192) }), /longer than 8192/],
    ['that is three words', () => 'a.b.c', /not valid/],
    ['of five parts', () => 'a.b.c.d.e', /not valid/],
  ]
  test.each(cases)('%s', async (_, make, why) => {
    const verify = await verifier({ secret: SECRET })
    await expect(verify(await make())).rejects.toThrow(why)
    await expect(verify(await make())).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  test('whose HMAC is keyed with the public key', async () => {
    for (const { publicKey } of [RSA, P256, ED]) {
      const verify = await verifier({ publicKey: pem(publicKey) })
      await expect(verify(byHand({ alg: 'HS256' }, GOOD, pem(publicKey)))).rejects.toThrow(
        /algorithm/,
      )
    }
  })

  test('that brings its own key', async () => {
    const evil = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const jwk = await exportJWK(evil.publicKey)
    const token = await sign('ES256', evil.privateKey, GOOD, { jwk, jku: 'https://evil.example/' })
    const verify = await verifier({ publicKey: pem(P256.publicKey) })
    await expect(verify(token)).rejects.toThrow(/not valid/)
  })
})

test.each<[Partial<JwtSettings>, RegExp]>([
  [{}, /exactly one/],
  [{ secret: SECRET, publicKey: pem(RSA.publicKey) }, /exactly one/],
  [{ secret: SECRET, issuer: '' }, /issuer and an audience/],
  [{ secret: 'short' }, /32 bytes/],
  [{ publicKey: 'no key' }, /no public key in PEM/],
  [{ publicKey: RSA.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string }, /private key/],
  [{ publicKey: pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey) }, /2048/],
  [{ publicKey: pem(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey) }, /P-256/],
  [{ publicKey: pem(generateKeyPairSync('x25519').publicKey) }, /RSA, P-256 or Ed25519/],
  [{ jwks: 'http://keys.example/jwks' }, /https/],
  [{ jwks: '/nowhere/jwks.json' }, /cannot be read/],
])('settings that are wrong are said at the start (%#)', async (settings, why) => {
  await expect(verifier(settings)).rejects.toThrow(why)
  await expect(verifier(settings)).rejects.toMatchObject({ code: 'bad_request' })
})

describe('over HTTP', () => {
  const ask = async (claims: Claims, path = '/info') => {
    const { app } = await stateApp({ jwt: { ...WHO, secret: SECRET }, now: NOW })
    const headers = bearer(await hs256({ ...GOOD, ...claims }))
    const method = path === '/info' ? 'GET' : 'POST'
    const init = { method, headers, ...(method === 'POST' ? { body: '{"text":"x"}' } : {}) }
    return app.request(path, init)
  }

  test('a server that trusts an issuer needs a token, without any key', async () => {
    const { app } = await stateApp({ jwt: { ...WHO, secret: SECRET }, now: NOW })
    expect((await app.request('/info')).status).toBe(401)
    expect((await ask({})).status).toBe(200)
  })

  test('tier and scope are the token’s; without a scope it may only look', async () => {
    expect((await ask({}, '/tokenize')).status).toBe(403)
    for (const scope of ['generate', 'openid generate', ['generate']]) {
      const response = await ask({ scope, tier: 'pro' }, '/tokenize')
      expect(response.status).toBe(200)
      expect(response.headers.get('x-ratelimit-limit')).toBe('1500')
    }
    const free = await ask({ scope: 'generate' }, '/tokenize')
    expect(free.headers.get('x-ratelimit-limit')).toBe('60')
    expect((await ask({ scope: 'generate', tier: 'gold' }, '/tokenize')).status).toBe(401)
  })

  test('a thousand odd tokens are 401, never 5xx', async () => {
    const { app } = await stateApp({ jwt: { ...WHO, secret: SECRET }, now: NOW })
    const good = await hs256()
    for (let i = 0; i < 1000; i++) {
      const at = i % good.length
      const letter = String.fromCharCode(45 + ((randomBytes(1)[0] ?? 0) % 78))
      const token = good.slice(0, at) + letter + good.slice(at + 1)
      const { status } = await app.request('/info', { headers: bearer(token) })
      // The last letter of a signature has bits that say nothing.
      if (token !== good && at < good.length - 1) expect(status, token).toBe(401)
    }
  })
})
