/**
 * What the HTTP layer costs a token: processor time of a server whose clients are another process, less that of the same
 * fake engine read without HTTP in the same process, round by round. At a rate, tokens come one by one, each stream's at
 * times of its own; at rate 0 as fast as the loop turns, all streams' together. Run by hand:
 * `node --import ./test/run-typescript.mjs test/http-cost.ts --streams 100 --rate 50 --rate 0 --tokens 500 --rounds 7`.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { spreadOf } from '../bench/statistics.ts'
import { compiled } from './compiled.ts'
import type { Order, Reply } from './http-cost-server.ts'
import { rawStream } from './raw-stream.ts'

const { values } = parseArgs({
  options: {
    streams: { type: 'string', default: '100' },
    rate: { type: 'string', multiple: true, default: ['50', '0'] },
    tokens: { type: 'string', default: '500' },
    rounds: { type: 'string', default: '7' },
  },
})
const [streams, tokens, rounds] = [values.streams, values.tokens, values.rounds].map(Number) as [
  number,
  number,
  number,
]
const WANTED = 50
const program = compiled('http-cost-server')

/** A server of its own, and what it can be asked. */
function start(rate: string) {
  const server = fork(program, [rate], { execArgv: ['--expose-gc'] })
  return {
    async order(what: Order['what']): Promise<Reply> {
      server.send({ what, streams, tokens } satisfies Order)
      const [reply] = await once(server, 'message')
      return reply as Reply
    },
    end: () => server.disconnect(),
  }
}
type Server = ReturnType<typeof start>

interface Piece {
  choices: { delta: { content?: string } }[]
}

/** All streams to their ends; throws unless each said every word once, in order. */
async function overHttp(url: URL): Promise<void> {
  const body = {
    messages: [{ role: 'user', content: 'x' }],
    max_tokens: tokens,
    stream: true,
    ignore_eos: true,
  }
  const expected = Array.from({ length: tokens }, (_, i) => ` ${i}`).join('')
  const answers = await Promise.all(
    Array.from({ length: streams }, async () => {
      const told: string[] = []
      await rawStream({
        url,
        path: '/v1/chat/completions',
        body,
        onData: (data) => void told.push(data),
      }).over
      return told
    }),
  )
  for (const told of answers) {
    const pieces = told.slice(0, -1).map((data) => JSON.parse(data) as Piece)
    const text = pieces.map(({ choices }) => choices[0]?.delta.content ?? '').join('')
    if (told.at(-1) !== '[DONE]' || text !== expected)
      throw new Error(`a stream told ${text.length} characters, expected ${expected.length}`)
  }
}

/** Microseconds a token of what the server does meanwhile. */
async function costOf({ order }: Server, work: () => Promise<unknown>): Promise<number> {
  const before = await order('cpu')
  await work()
  const after = await order('cpu')
  return (after.cpu - before.cpu) / (after.tokens - before.tokens)
}

interface Round {
  http: number
  direct: number
}

async function measure(rate: string): Promise<Round[]> {
  const server = start(rate)
  const url = new URL((await server.order('url')).url)
  const taken: Round[] = []
  // The first round warms both up.
  for (let round = 0; round <= rounds; round++) {
    const http = await costOf(server, () => overHttp(url))
    const direct = await costOf(server, () => server.order('direct'))
    if (round > 0) taken.push({ http, direct })
  }
  server.end()
  return taken
}

const layer = ({ http, direct }: Round) => http - direct

function row(taken: readonly Round[], of: (round: Round) => number) {
  const { min, median, max } = spreadOf(taken.map(of))
  return { min: min.toFixed(1), median: median.toFixed(1), max: max.toFixed(1) }
}

let isOver = false
for (const rate of values.rate) {
  const pace = rate === '0' ? 'as fast as it goes' : `${rate} tokens/s each`
  const taken = await measure(rate)
  console.log(
    `µs of processor time a token: ${streams} streams × ${tokens} tokens, ${pace}, ${rounds} rounds, Node ${process.version}`,
  )
  console.table({
    'over HTTP': row(taken, ({ http }) => http),
    'without HTTP': row(taken, ({ direct }) => direct),
    'the HTTP layer': row(taken, layer),
  })
  const isGood = spreadOf(taken.map(layer)).median <= WANTED
  console.log(`wanted of the layer: ≤ ${WANTED} at the median: ${isGood ? 'yes' : 'NO'}`)
  isOver ||= !isGood
}
process.exitCode = isOver ? 1 : 0
