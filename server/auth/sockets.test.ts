/** The same keys, scopes and limits hold over a WebSocket, from one message to the next. */
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { KEY } from '../../test/server-state.ts'
import { FakeEngine } from '../fake-engine.ts'
import { type RunningServer, serve } from '../serve.ts'
import { databaseFile } from '../store/data-folder.ts'
import { Database } from '../store/database.ts'
import { Credentials, type NewCredential } from './credentials.ts'

let server: RunningServer | undefined
let database: Database | undefined

afterEach(async () => {
  await server?.close()
  database?.close()
})

async function setUp(spec: Partial<NewCredential> = {}) {
  const data = mkdtempSync(join(tmpdir(), 'illuminator-sockets-'))
  // Another connection than the server's, as "keys revoke" has.
  database = await Database.open(databaseFile(data))
  const credentials = new Credentials(database)
  const { credential, secret } = await credentials.create({ ...KEY, ...spec })
  const engine = new FakeEngine({ words: ['a'] })
  server = await serve({ port: 0, data, log: () => {}, load: async () => engine })
  await server.ready
  const url = `${server.url.replace('http', 'ws')}/ws`
  const revoke = () => credentials.revoke(credential.id)
  return { engine, revoke, secret, url }
}

async function open(url: string, headers: Record<string, string> = {}): Promise<WebSocket> {
  const socket = new WebSocket(url, { headers })
  await once(socket, 'open')
  return socket
}

/** The frames up to the one that ends a generation. */
function generate(socket: WebSocket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const gather = (data: Buffer) => {
      text += data.toString()
      if (!/"type":"(complete|error)"/.test(text)) return
      socket.off('message', gather)
      resolve(text)
    }
    socket.on('message', gather)
    socket.once('close', (code) => reject(new Error(`closed with ${code} after ${text}`)))
    socket.send(JSON.stringify({ type: 'generate', data: { prompt: 'x', max_tokens: 1 } }))
  })
}

test('a bad key is 401 at the upgrade, 4401 in a message', async () => {
  const { url } = await setUp()
  const wrong = `sk-${'0'.repeat(60)}`
  const refused = new WebSocket(url, { headers: { authorization: `Bearer ${wrong}` } })
  const [error] = (await once(refused, 'error')) as [Error]
  expect(error.message).toContain('401')
  const socket = await open(url)
  socket.send(JSON.stringify({ type: 'auth', token: wrong }))
  const [code] = (await once(socket, 'close')) as [number]
  expect(code).toBe(4401)
})

test('a key that is revoked ends with the next generation', async () => {
  const { engine, revoke, secret, url } = await setUp()
  const socket = await open(url, { authorization: `Bearer ${secret}` })
  expect(await generate(socket)).toContain('"complete"')
  await revoke()
  const closed = once(socket, 'close')
  expect(await generate(socket)).toContain('The API key was revoked.')
  expect((await closed)[0]).toBe(4401)
  expect(engine.calls).toHaveLength(1)
})

test('scopes and limits are those of the key', async () => {
  const { secret, url } = await setUp({ limits: { requestsPerMinute: 1, tokensPerHour: null } })
  const socket = await open(url, { 'x-api-key': secret })
  expect(await generate(socket)).toContain('"complete"')
  expect(await generate(socket)).toContain('rate_limit_exceeded')
  socket.close()
})

test('a key that may not generate is told so', async () => {
  const { engine, secret, url } = await setUp({ scopes: ['batch'] })
  const socket = await open(url, { 'x-api-key': secret })
  expect(await generate(socket)).toContain('insufficient_scope')
  expect(engine.calls).toHaveLength(0)
  socket.close()
})
