/**
 * A real server over a fake engine, in a process of its own: for tests that kill it, and for clients in other languages.
 * Prints its address. Arguments: data folder (none: memory), tokens a second (none: as fast as it goes), milliseconds
 * before the first token (none: 0).
 */
import { FakeEngine } from '../server/fake-engine.ts'
import { serve } from '../server/serve.ts'

const [data = '', rate = '', prefill = ''] = process.argv.slice(2)
const server = await serve({
  ...(data === '' ? {} : { data }),
  port: 0,
  log: () => undefined,
  load: async () =>
    new FakeEngine({
      words: ['one', ' two', ' three'],
      ...(rate === '' ? {} : { rate: Number(rate) }),
      ...(prefill === '' ? {} : { prefill: Number(prefill) }),
    }),
})
await server.ready
process.stdout.write(`${server.url}\n`)
