/** For tests with real clients: a server on a free port over a fake engine. */
import { ApiError } from '../server/contract/errors.ts'
import { FakeEngine, type FakeOptions } from '../server/fake-engine.ts'
import { type RunningServer, serve } from '../server/serve.ts'

const running: RunningServer[] = []

/** What all clients ask for. */
export const MODEL = 'fake/tiny-1'
export const KEY = 'sk-of-nobody'

/** An answer that lasts until it is left. */
export const ENDLESS: FakeOptions = { rate: 100, words: Array<string>(5000).fill('a') }

export async function clientServer(options: FakeOptions = {}) {
  const engine = new FakeEngine(options)
  const server = await serve({ port: 0, load: async () => engine, log: () => undefined })
  running.push(server)
  await server.ready
  return { engine, baseURL: `${server.url}/v1` }
}

/** Call it after each test. */
export async function closeClientServers(): Promise<void> {
  await Promise.all(running.splice(0).map((server) => server.close()))
}

/** The engine's queue is full for the first chat; returns how many came. */
export function refuseFirstChat(engine: FakeEngine): () => number {
  let chats = 0
  const chat = engine.chat.bind(engine)
  engine.chat = (...asked) => {
    if (chats++ === 0) {
      throw new ApiError('overloaded', 'The queue is full.', null, { 'retry-after': '1' })
    }
    return chat(...asked)
  }
  return () => chats
}
