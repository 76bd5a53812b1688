/** Clients on Node are told that a whole answer is still being made; others are not, and it ends with the answer. */
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { tellStillWorking } from './still-working.ts'

let close = () => Promise.resolve()
afterEach(() => close())

/** A server that answers after a while, with signs in between. */
async function slowServer(): Promise<number> {
  const server = createServer((incoming, outgoing) => {
    const head = new Promise<string>((resolve) => setTimeout(() => resolve('done'), 300))
    tellStillWorking(incoming, outgoing, head, 40).then(
      (text) => outgoing.end(text),
      () => outgoing.destroy(),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  close = () => new Promise((resolve) => server.close(() => resolve()))
  return (server.address() as AddressInfo).port
}

/** All that comes back to a client with these headers. */
function ask(port: number, headers: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.on('data', (chunk) => (text += String(chunk)))
  socket.write(`GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${headers}\r\n`)
  return new Promise((resolve) => socket.once('close', () => resolve(text)))
}

test.each([
  ['fetch', 'user-agent: node\r\n'],
  ['the openai package', 'user-agent: OpenAI/JS 6.49.0\r\nx-stainless-runtime: node\r\n'],
  ['the AI SDK', 'user-agent: ai/6.0.326 ai-sdk/provider-utils/4.0.27 runtime/node.js/20\r\n'],
])('%s is told, and then answered', async (_, headers) => {
  const text = await ask(await slowServer(), headers)
  expect(text).toMatch(/^(HTTP\/1\.1 102 Processing\r\n\r\n)+HTTP\/1\.1 200 OK\r\n/)
  expect(text).toContain('done')
})

test.each(['user-agent: python-requests/2\r\n', 'x-stainless-runtime: browser\r\n', ''])(
  'nobody else is: %j',
  async (headers) => {
    expect(await ask(await slowServer(), headers)).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  },
)

test('Node’s own fetch takes the signs for what they are', async () => {
  const response = await fetch(`http://127.0.0.1:${await slowServer()}`)
  expect([response.status, await response.text()]).toEqual([200, 'done'])
})
