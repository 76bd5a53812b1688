/**
 * Many streams at once, and readers that stop: what the protocol layer costs, over a fake engine. Run by hand:
 * `node --import ./test/run-typescript.mjs test/streams-load.ts --streams 1000 --rate 20 --seconds 60 --stopped 100`.
 * The server is a process of its own; this one reads, checks every token and prints what came out beside what is wanted.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { parseArgs } from 'node:util'
import { compiled } from './compiled.ts'
import { watchHealth } from './health-watch.ts'
import { post } from './raw-client.ts'
import { rawStream } from './raw-stream.ts'
import type { ServerFigures } from './streams-load-server.ts'

const { values } = parseArgs({
  options: {
    streams: { type: 'string', default: '1000' },
    rate: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '60' },
    stopped: { type: 'string', default: '100' },
  },
})
const [streams, rate, seconds, stopped] = [
  values.streams,
  values.rate,
  values.seconds,
  values.stopped,
].map(Number) as [number, number, number, number]
const tokens = rate * seconds
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

// Not this process's own: they load the compiler.
const server = fork(compiled('streams-load-server'), [values.rate], { execArgv: ['--expose-gc'] })
/** The server's own figures; `reset` begins a new count, `collect` lets go of garbage first. */
async function ask(question: 'url' | 'reset' | 'collect' | 'figures'): Promise<ServerFigures> {
  server.send(question)
  const [answer] = await once(server, 'message')
  return answer as ServerFigures
}

/** One stream: counts its tokens, and what is wrong with their order. */
interface Stream {
  tokens: number
  wrong: number
  done: boolean
  close(): void
}

const gaps: number[] = []

const asking = (prompt: string, limit: number) => ({
  prompt,
  max_tokens: limit,
  stream: true,
  ignore_eos: true,
})

function open(url: URL, limit: number): Stream {
  let last = 0
  const onData = (data: string) => {
    if (data === '[DONE]') stream.done = true
    else {
      const { token, index } = JSON.parse(data) as { token: string; index: number }
      if (index !== stream.tokens || token !== ` ${index}`) stream.wrong++
      stream.tokens++
      const now = performance.now()
      if (last > 0) gaps.push(now - last)
      last = now
    }
  }
  const { close } = rawStream({ url, path: '/generate', body: asking('x', limit), onData })
  const stream: Stream = { tokens: 0, wrong: 0, done: false, close }
  return stream
}

/** Opens so many over two seconds: a thousand connections in one go would measure the listen queue. */
async function openAll(url: URL, count: number, limit: number): Promise<Stream[]> {
  const all: Stream[] = []
  for (let i = 0; i < count; i++) {
    all.push(open(url, limit))
    if (i % Math.ceil(count / 100) === 0) await sleep(20)
  }
  return all
}

/** Sends a request, reads nothing of its answer. */
function openStopped(url: URL): () => void {
  const socket = connect(Number(url.port), url.hostname)
  socket.pause()
  socket.on('error', () => {})
  socket.write(post('/generate', asking('fat', 1_000_000)))
  return () => socket.destroy()
}

const sorted = (numbers: readonly number[]) => Float64Array.from(numbers).sort()
const quantile = (numbers: readonly number[], q: number): number => {
  const all = sorted(numbers)
  return all[Math.min(all.length - 1, Math.floor(q * all.length))] ?? 0
}
const mib = (bytes: number) => bytes / 1024 / 1024

const rows: { what: string; found: string; wanted: string; good: boolean | null }[] = []
const row = (what: string, found: number, unit: string, most: number | null) =>
  rows.push({
    what,
    found: `${found.toFixed(found < 100 ? 1 : 0)} ${unit}`,
    wanted: most === null ? '' : `≤ ${most} ${unit}`,
    good: most === null ? null : found <= most,
  })
const count = (all: readonly Stream[], of: (stream: Stream) => number) =>
  all.reduce((sum, stream) => sum + of(stream), 0)

async function manyStreams(url: URL): Promise<void> {
  const idle = await ask('reset')
  const health = watchHealth(url)
  const began = performance.now()
  const all = await openAll(url, streams, tokens)
  while (all.some(({ done }) => !done) && performance.now() - began < seconds * 1500 + 10_000)
    await sleep(100)
  const times = await health.stop()
  const figures = await ask('figures')
  const received = count(all, (stream) => stream.tokens)
  row(
    'streams that did not end',
    count(all, ({ done }) => (done ? 0 : 1)),
    'of them',
    0,
  )
  row('tokens lost', streams * tokens - received, 'of them', 0)
  row(
    'tokens doubled, reordered or wrong',
    count(all, ({ wrong }) => wrong),
    'of them',
    0,
  )
  row(
    'jitter p99 (gap beyond the rate’s)',
    quantile(
      gaps.map((gap) => Math.abs(gap - 1000 / rate)),
      0.99,
    ),
    'ms',
    150,
  )
  row('RSS, peak', mib(figures.peakRss), 'MiB', 450)
  row('RSS before the first stream', mib(idle.rss), 'MiB', null)
  row('/health p99', quantile(times, 0.99), 'ms', 50)
  row('event-loop delay p99', figures.loopDelay, 'ms', null)
  row('CPU a token', figures.cpu / received, 'µs', null)
  row('CPU of one core', (figures.cpu / 1000 / (performance.now() - began)) * 100, '%', null)
}

async function stoppedReaders(url: URL): Promise<void> {
  const others = Math.ceil(streams / 5)
  const idle = await ask('collect')
  const live = await openAll(url, others, 1_000_000)
  const perSecond = async () => {
    const [from, began] = [count(live, (stream) => stream.tokens), performance.now()]
    await sleep(10_000)
    return (1000 * (count(live, (stream) => stream.tokens) - from)) / (performance.now() - began)
  }
  await sleep(2000)
  const alone = await perSecond()
  const before = await ask('collect')
  const ends = Array.from({ length: stopped }, () => openStopped(url))
  // The kernel takes some megabytes for each of them first.
  await sleep(25_000)
  const beside = await perSecond()
  const after = await ask('collect')
  row('held for a stream', (before.heap - idle.heap) / others / 1024, 'KiB', null)
  row('held for a stopped reader', (after.heap - before.heap) / stopped / 1024, 'KiB', 256)
  row('waiting in a stopped reader’s socket, most', after.mostWaiting / 1024, 'KiB', 256)
  row('readers that had filled their socket', after.full, 'of them', null)
  row('the others lose', Math.max(0, 100 * (1 - beside / alone)), '%', 5)
  row(
    'tokens of theirs doubled, reordered or wrong',
    count(live, ({ wrong }) => wrong),
    'of them',
    0,
  )
  for (const end of ends) end()
  for (const { close } of live) close()
}

const url = new URL((await ask('url')).url)
await manyStreams(url)
if (stopped > 0) await stoppedReaders(url)
server.disconnect()
const mark = { true: 'yes', false: 'NO', null: '' }
console.log(
  `${streams} streams × ${rate} tokens/s × ${seconds} s, ${stopped} stopped readers, Node ${process.version}`,
)
console.table(rows.map(({ good, ...rest }) => ({ ...rest, good: mark[`${good}`] })))
process.exitCode = rows.some(({ good }) => good === false) ? 1 : 0
