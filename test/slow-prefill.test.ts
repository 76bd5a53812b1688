/**
 * A prefill longer than whoever waits on the way would bear: keep-alive comments carry the `openai` package through it,
 * with its own defaults. Seconds here; `test/slow-prefill.ts` does it with 400 s.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import OpenAI from 'openai'
import { afterEach, expect, test } from 'vitest'
import { createApp } from '../server/app.ts'
import { FakeEngine } from '../server/fake-engine.ts'
import { Lifecycle } from '../server/lifecycle.ts'
import { Models } from '../server/models/models.ts'
import { requestListener } from '../server/request-listener.ts'
import { MODEL } from './client-server.ts'
import { tapWire } from './wire.ts'

const PREFILL = 3000
/** What the hop in between bears. */
const PATIENCE = 1500

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** A server whose streams are silent for so long at most, behind a hop that cuts what is silent for longer. */
async function behindHop(keepAliveMs: number) {
  const engine = new FakeEngine({ prefill: PREFILL, words: ['a', 'b'] })
  const app = createApp({ lifecycle: new Lifecycle(Models.of(engine)), keepAliveMs })
  const server = createServer(requestListener(app.fetch))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => new Promise((resolve) => server.close(resolve)))
  const { port } = server.address() as AddressInfo
  const wire = await tapWire(new URL(`http://127.0.0.1:${port}`), PATIENCE)
  closing.push(() => wire.close())
  const client = new OpenAI({ apiKey: 'x', baseURL: `http://127.0.0.1:${wire.port}/v1` })
  return { client, wire, engine }
}

const asked = {
  model: MODEL,
  messages: [{ role: 'user' as const, content: 'x' }],
  stream: true as const,
}

test('comments carry a stream through', async () => {
  const { client, wire } = await behindHop(100)
  let text = ''
  for await (const { choices } of await client.chat.completions.create(asked)) {
    text += choices[0]?.delta.content ?? ''
  }
  expect(text).toBe('ab')
  expect(wire.cuts()).toBe(0)
  const [, before = ''] = wire.text().split('\r\n\r\n')
  expect(before.split('data: ')[0]?.match(/: keep-alive/g)?.length).toBeGreaterThan(2)
})

test('without them it would not come through, and its work ends', async () => {
  const { client, wire, engine } = await behindHop(60_000)
  const read = async () => {
    for await (const _ of await client.chat.completions.create(asked));
  }
  await expect(read()).rejects.toThrow()
  expect(wire.cuts()).toBe(1)
  await expect.poll(() => engine.stats.running).toBe(0)
})
