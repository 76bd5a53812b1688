/**
 * The server of `http-cost.ts`: a fake engine that can be asked over HTTP or directly, and the processor time of this
 * process for whoever forked it.
 */
import { FakeEngine } from '../server/fake-engine.ts'
import { serve } from '../server/serve.ts'

export interface Order {
  /** `direct`: answer so many at once here, without HTTP. The others only look at the clock. */
  what: 'url' | 'cpu' | 'direct'
  streams: number
  tokens: number
}

export interface Reply {
  url: string
  /** Microseconds of processor time, user and system, of all threads. */
  cpu: number
  /** Tokens that the engine has made. */
  tokens: number
}

const rate = Number(process.argv[2])
const words = Array.from({ length: 10_000 }, (_, i) => ` ${i}`)
const engine = new FakeEngine({ rate, words, contextLength: 1_000_000 })
const server = await serve({ port: 0, load: async () => engine, drainSeconds: 0 })
await server.ready

/** What the server's handlers do with an engine, and nothing more. */
async function direct(tokens: number): Promise<void> {
  const { signal } = new AbortController()
  const options = { maxTokens: tokens, ignoreEos: true, signal }
  for await (const _ of engine.chat([{ role: 'user', content: 'x' }], options));
}

process.on('message', async ({ what, streams, tokens }: Order) => {
  if (what === 'direct') await Promise.all(Array.from({ length: streams }, () => direct(tokens)))
  globalThis.gc?.()
  const { user, system } = process.cpuUsage()
  const reply: Reply = { url: server.url, cpu: user + system, tokens: engine.tokens }
  process.send?.(reply)
})
process.on('disconnect', () => void server.close())
