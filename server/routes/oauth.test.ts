/** Tokens for clients: RFC 6749 as its libraries expect it, and tokens that open what the client may open, no longer. */
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { expect, test, vi } from 'vitest'
import { bearer, type StateSetting, stateApp } from '../../test/server-state.ts'
import { tokenError, tokenResponse } from '../contract/oauth.ts'

const FORM = 'application/x-www-form-urlencoded'

async function setUp(setting: StateSetting = {}) {
  const made = await stateApp(setting)
  const client = await made.newKey({ kind: 'client', scopes: ['generate', 'batch'], tier: 'basic' })
  const ask = (form: string | Record<string, string>, headers: Record<string, string> = {}) =>
    made.app.request('/oauth/token', {
      method: 'POST',
      headers: { 'content-type': FORM, ...headers },
      body: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
    })
  const grant = { grant_type: 'client_credentials' }
  const inForm = { ...grant, client_id: client.id, client_secret: client.secret }
  const basic = (id: string, secret: string) => ({
    authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
  })
  const tokenOf = async (form: Record<string, string> = {}) =>
    tokenResponse.strict().parse(await (await ask({ ...inForm, ...form })).json())
  return { ...made, ask, basic, client, grant, inForm, tokenOf }
}

test('a client gets a token by form or Basic, and the token opens what the client may', async () => {
  const { app, ask, basic, client, grant, inForm, post } = await setUp()
  for (const response of [await ask(inForm), await ask(grant, basic(client.id, client.secret))]) {
    expect(response.status).toBe(200)
    expect(response.headers.get('cache-control')).toBe('no-store')
    const body = tokenResponse.strict().parse(await response.json())
    expect(body).toMatchObject({ token_type: 'Bearer', expires_in: 3600, scope: 'generate batch' })
    const token = bearer(body.access_token)
    const answer = await post('/generate', { prompt: 'x', max_tokens: 1 }, token)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('x-ratelimit-limit')).toBe('300')
    expect((await app.request('/metrics', { headers: token })).status).toBe(403)
  }
})

test('the token is a signed JWT that the published keys check', async () => {
  const { app, client, tokenOf } = await setUp()
  const { access_token: token } = await tokenOf()
  expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'ES256', typ: 'at+jwt' })
  const published = await app.request('/.well-known/jwks.json')
  expect(published.status).toBe(200)
  const text = await published.text()
  expect(text).not.toContain('"d"')
  const fetched = vi.spyOn(globalThis, 'fetch').mockResolvedValue(new Response(text))
  const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL('https://x.example/')))
  fetched.mockRestore()
  expect(payload).toMatchObject({ sub: client.id, client_id: client.id, scope: 'generate batch' })
})

test('fewer scopes than it may have; more is invalid_scope', async () => {
  const { ask, inForm, post, tokenOf } = await setUp()
  const { access_token: token, scope } = await tokenOf({ scope: 'batch' })
  expect(scope).toBe('batch')
  expect((await post('/tokenize', { text: 'x' }, bearer(token))).status).toBe(403)
  const more = await ask({ ...inForm, scope: 'batch admin' })
  expect(more.status).toBe(400)
  expect(await more.json()).toMatchObject({ error: 'invalid_scope' })
})

test('a token ends with its hour, and with its client', async () => {
  const { app, client, clock, state, tokenOf } = await setUp({ now: Date.UTC(2026, 0, 1) })
  const { access_token: token } = await tokenOf()
  const status = async () => (await app.request('/info', { headers: bearer(token) })).status
  clock.now += 3_599_000
  expect(await status()).toBe(200)
  clock.now += 1000
  expect(await status()).toBe(401)
  const { access_token: next } = await tokenOf()
  expect((await app.request('/info', { headers: bearer(next) })).status).toBe(200)
  await state.credentials.revoke(client.id)
  const revoked = await app.request('/info', { headers: bearer(next) })
  expect(revoked.status).toBe(401)
  expect(revoked.headers.get('www-authenticate')).toContain('error="invalid_token"')
})

test('a token of another server, or with one letter changed, is none', async () => {
  const { app, tokenOf } = await setUp()
  const other = await (await setUp()).tokenOf()
  const { access_token: token } = await tokenOf()
  const [head, body = '', signature] = token.split('.')
  const widened = Buffer.from(
    JSON.stringify({ ...decodeJwt(token), scope: 'generate batch admin' }),
  ).toString('base64url')
  expect(widened).not.toBe(body)
  for (const bad of [other.access_token, `${head}.${widened}.${signature}`, `${head}.${body}.`]) {
    expect((await app.request('/info', { headers: bearer(bad) })).status).toBe(401)
  }
})

test('faults are told as RFC 6749 has it', async () => {
  const { ask, basic, client, clock, grant, inForm, newKey, state } = await setUp()
  const revoked = await newKey({ kind: 'client' })
  await state.credentials.revoke(revoked.id)
  const key = await newKey()
  const cases: [string | Record<string, string>, Record<string, string>, string][] = [
    ['', {}, 'invalid_request'],
    [{ client_id: client.id, client_secret: client.secret }, {}, 'invalid_request'],
    [{ ...inForm, grant_type: 'password' }, {}, 'unsupported_grant_type'],
    [`${new URLSearchParams(inForm)}&client_id=${client.id}`, {}, 'invalid_request'],
    [JSON.stringify(inForm), { 'content-type': 'application/json' }, 'invalid_request'],
    [inForm, basic(client.id, client.secret), 'invalid_request'],
    [{ ...grant, client_id: 'client_other' }, basic(client.id, client.secret), 'invalid_request'],
    [grant, {}, 'invalid_client'],
    [{ ...inForm, client_secret: '' }, {}, 'invalid_client'],
    [{ ...inForm, client_secret: 'cs-wrong' }, {}, 'invalid_client'],
    [{ ...inForm, client_id: "' OR 1=1 --" }, {}, 'invalid_client'],
    [{ ...grant, client_id: key.id, client_secret: key.secret }, {}, 'invalid_client'],
    [{ ...grant, client_id: revoked.id, client_secret: revoked.secret }, {}, 'invalid_client'],
    [grant, basic(client.id, 'wrong'), 'invalid_client'],
    [grant, { authorization: 'Basic !' }, 'invalid_client'],
    [grant, basic('%zz', '%'), 'invalid_client'],
    [grant, bearer('x'), 'invalid_client'],
  ]
  clock.now += 1
  for (const [form, headers, code] of cases) {
    const response = await ask(form, headers)
    const body = tokenError.strict().parse(await response.json())
    expect(body.error, JSON.stringify([form, headers])).toBe(code)
    expect(response.status).toBe(code === 'invalid_client' ? 401 : 400)
    const challenge = response.headers.get('www-authenticate')
    expect(challenge).toBe(code === 'invalid_client' ? 'Basic realm="illuminator"' : null)
  }
  expect((await ask('x'.repeat(20_000))).status).toBe(413)
})

test('a server without state gives no tokens', async () => {
  const { testApp } = await import('../../test/server-app.ts')
  const { app } = testApp()
  for (const [method, path] of [
    ['POST', '/oauth/token'],
    ['GET', '/.well-known/jwks.json'],
    ['GET', '/models/tiny/stats'],
  ] as const) {
    expect((await app.request(path, { method })).status).toBe(404)
  }
})
