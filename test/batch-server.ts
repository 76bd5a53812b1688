/** A server for tests that kill it: a fake engine over a data folder. Prints its address. Arguments: folder, tokens a second. */
import { FakeEngine } from '../server/fake-engine.ts'
import { serve } from '../server/serve.ts'

const [data = '', rate = '1000'] = process.argv.slice(2)
const server = await serve({
  data,
  port: 0,
  load: async () => new FakeEngine({ words: ['one', ' two', ' three'], rate: Number(rate) }),
})
await server.ready
process.stdout.write(`${server.url}\n`)
