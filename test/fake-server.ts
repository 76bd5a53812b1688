/**
 * A real server over a fake engine, in a process of its own: for tests that kill it, and for clients in other languages.
 * Prints its address. Arguments: data folder (none: memory), tokens a second (none: as fast as it goes).
 */
import { FakeEngine } from '../server/fake-engine.ts'
import { serve } from '../server/serve.ts'

const [data = '', rate = ''] = process.argv.slice(2)
const server = await serve({
  ...(data === '' ? {} : { data }),
  port: 0,
  log: () => undefined,
  load: async () =>
    new FakeEngine({
      words: ['one', ' two', ' three'],
      ...(rate === '' ? {} : { rate: Number(rate) }),
    }),
})
await server.ready
process.stdout.write(`${server.url}\n`)
