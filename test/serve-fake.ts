/** A server over the fake engine as a process of its own, for tests that kill it: `serve-fake.ts <data folder>`. */
import { FakeEngine } from '../server/fake-engine.ts'
import { serve } from '../server/serve.ts'

const [, , data = ':memory:'] = process.argv
const server = await serve({ port: 0, data, load: async () => new FakeEngine() })
await server.ready
process.stdout.write(`${server.url}\n`)
