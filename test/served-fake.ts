/** For tests: a real server over a fake engine, in this process. */
import { FakeEngine, type FakeOptions } from '../server/fake-engine.ts'
import { serve } from '../server/serve.ts'

/** @param data the data folder; keeps nothing unless one is given */
export async function serveFake(options: FakeOptions = {}, data = ':memory:') {
  const engine = new FakeEngine(options)
  const server = await serve({ port: 0, data, log: () => {}, load: async () => engine })
  await server.ready
  return { engine, url: server.url, close: () => server.close() }
}
