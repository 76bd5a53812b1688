/** No route answers without a key but those of the written list, however its path is written. The test finds the routes. */
import { expect, test } from 'vitest'
import { bearer, only, stateApp } from '../../test/server-state.ts'
import { needOf, writtenNeed } from './access.ts'
import { SCOPES } from './caller.ts'

/** The list, once more and by hand: a route that becomes public by accident is not on it. */
const PUBLIC = [
  'GET /',
  'GET /.well-known/jwks.json',
  'GET /docs',
  'GET /health',
  'GET /health/live',
  'GET /health/ready',
  'GET /openapi.json',
  'GET /playground/:file{[\\s\\S]+}',
  'GET /status',
  'POST /oauth/token',
]

interface Route {
  method: string
  pattern: string
  /** The pattern with something in it. */
  path: string
}

async function setUp() {
  const { app, clock, newKey, state } = await stateApp()
  const routes: Route[] = app.routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => ({
      method,
      pattern: path,
      path: path.replace(/:\w+(\{[^}]*\})?/g, 'some'),
    }))
  const good = await newKey()
  const revoked = await newKey()
  await state.credentials.revoke(revoked.id)
  const expired = await newKey({ expiresAt: clock.now + 1 })
  clock.now += 2
  const ask = (method: string, path: string, headers: Record<string, string> = {}) =>
    app.request(path, { method, headers, ...(method === 'POST' ? { body: '{}' } : {}) })
  return { ask, expired, good, newKey, revoked, routes }
}

test('every route has its line in the table, and the public ones are those of the list', async () => {
  const { routes } = await setUp()
  const forgotten = routes.filter(({ path }) => writtenNeed(path) === undefined)
  expect(forgotten).toEqual([])
  const open = routes
    .filter(({ path }) => needOf(path) === 'public')
    .map(({ method, pattern }) => `${method} ${pattern}`)
  expect(open.sort()).toEqual(PUBLIC)
})

test('without a good key every route is 401, and says how to bring one', async () => {
  const { ask, expired, revoked, routes } = await setUp()
  const credentials: [string, Record<string, string>][] = [
    ['none', {}],
    ['empty', { authorization: '' }],
    ['bad', bearer(`sk-${'0'.repeat(60)}`)],
    ['another', bearer('sk-1234567890abcdef')],
    ['revoked', revoked.headers],
    ['expired', expired.headers],
    ['x-api-key', { 'x-api-key': revoked.secret }],
    ['basic', { authorization: 'Basic eDp5' }],
    ['jwt', bearer('eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.')],
    ['sql', bearer(`sk-' OR '1'='1`)],
  ]
  for (const { method, path } of routes.filter(({ path }) => needOf(path) !== 'public')) {
    for (const [what, headers] of credentials) {
      const response = await ask(method, path, headers)
      expect(response.status, `${method} ${path} with ${what}`).toBe(401)
      expect(response.headers.get('www-authenticate')).toMatch(/^Bearer realm="illuminator"/)
      const { error } = (await response.json()) as { error: { code: string } }
      expect(error.code).toBe('invalid_api_key')
    }
  }
})

test('no other spelling or method of a path gets further', async () => {
  const { ask, routes } = await setUp()
  for (const { method, path } of routes) {
    const isPublic = needOf(path) === 'public'
    const spellings = [
      `/${path}`,
      `${path}/`,
      path.replace(/^\//, '/%2f'),
      path.replace(/\/(?=[^/]*$)/, '%2f'),
      `/x/..${path}//`,
      `/.${path}/.`,
      path.toUpperCase(),
      `${path}%00`,
      `${path};a=b`,
      `/docs/..%2f${path}`,
      `/health%2f..${path}`,
    ]
    // `/` has no capitals.
    for (const spelling of spellings.filter((spelling) => spelling !== path)) {
      const response = await ask(method, spelling)
      expect(response.status, `${method} ${spelling}`).toBeGreaterThanOrEqual(400)
    }
    const override = { 'x-http-method-override': 'GET' }
    for (const other of ['HEAD', 'OPTIONS', 'PUT', 'PATCH', 'DELETE', 'TRACE2', 'GET', 'POST']) {
      if (other === method || (isPublic && other === 'HEAD')) continue
      const response = await ask(other, path, override)
      const least = isPublic && other === 'GET' ? 200 : 400
      expect(response.status, `${other} ${path}`).toBeGreaterThanOrEqual(least)
    }
  }
})

test('an upgrade to a WebSocket is no way around', async () => {
  const { ask, routes } = await setUp()
  const headers = { connection: 'upgrade', upgrade: 'websocket' }
  for (const { path } of routes.filter(({ path }) => needOf(path) !== 'public')) {
    expect((await ask('GET', path, headers)).status, path).toBe(401)
  }
})

test('a key without the scope is 403, and the missing one is named', async () => {
  const { ask, newKey, routes } = await setUp()
  for (const { method, path } of routes) {
    const need = needOf(path)
    if (need === 'public' || need === 'key') continue
    const others = SCOPES.filter((scope) => scope !== need)
    const { headers } = await newKey(only(...others))
    const response = await ask(method, path, headers)
    expect(response.status, `${method} ${path}`).toBe(403)
    const { error } = (await response.json()) as { error: { code: string; message: string } }
    expect(error.code).toBe('insufficient_scope')
    expect(error.message).toContain(`'${need}'`)
    expect(response.headers.get('www-authenticate')).toContain(`scope="${need}"`)
  }
})

test('with a good key every route is reached, by either header', async () => {
  const { ask, good, routes } = await setUp()
  for (const { method, path } of routes.filter(({ path }) => needOf(path) !== 'public')) {
    for (const headers of [good.headers, { 'x-api-key': good.secret }]) {
      expect([401, 403], `${method} ${path}`).not.toContain(
        (await ask(method, path, headers)).status,
      )
    }
  }
})

test('health tells a stranger whether it works, and details to who has a key', async () => {
  const { ask, good, expired } = await setUp()
  const told = async (headers: Record<string, string>) =>
    (await (await ask('GET', '/health', headers)).json()) as { version: string | null }
  const nothing = {
    status: 'healthy',
    gpu_available: null,
    memory_usage: { gpu_memory_used: null },
    version: null,
  }
  expect(await told({})).toMatchObject(nothing)
  expect(await told(expired.headers)).toMatchObject(nothing)
  expect(await told({ authorization: 'Basic eDp5' })).toMatchObject(nothing)
  expect(await told(good.headers)).toMatchObject({
    gpu_available: false,
    memory_usage: { gpu_memory_used: '131.2MB' },
  })
  expect((await told(good.headers)).version).toMatch(/^\d/)
})
