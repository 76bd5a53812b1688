/**
 * A prompt that takes minutes, and how soon a stream begins: the `openai` package with its own defaults waits for a
 * fake engine's first token, streamed and whole, while others open streams. The server is a process of its own. Run by hand:
 * `node --import ./test/run-typescript.mjs test/slow-prefill.ts --prefill 400 --streams 200 --together 100`
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { connect } from 'node:net'
import { parseArgs } from 'node:util'
import OpenAI from 'openai'
import { MODEL } from './client-server.ts'
import { post } from './raw-client.ts'
import { longestSilence, tapWire } from './wire.ts'

const { values } = parseArgs({
  options: {
    prefill: { type: 'string', default: '400' },
    streams: { type: 'string', default: '200' },
    together: { type: 'string', default: '100' },
  },
})
const [prefill, streams, together] = [values.prefill, values.streams, values.together].map(
  Number,
) as [number, number, number]
/** Milliseconds: the contract's. */
const MOST_SILENCE = 10_000
const MOST_FIRST_BYTE = 100

async function startServer(): Promise<{ url: URL; child: ChildProcess }> {
  const entry = new URL('./fake-server.ts', import.meta.url).pathname
  const args = [...process.execArgv, entry, '', '', String(prefill * 1000)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.once('data', (text) => resolve(String(text).trim()))
    child.once('exit', () => reject(new Error('The server did not start.')))
  })
  return { url: new URL(url), child }
}

/** Milliseconds from the request to the first byte of an answer's body; the client leaves then. */
function firstByte(url: URL): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(url.port), url.hostname, () => {
      const began = performance.now()
      let head = ''
      socket.on('data', (chunk) => {
        head += chunk.toString('latin1')
        if (!/\r\n\r\n./s.test(head)) return
        resolve(performance.now() - began)
        socket.destroy()
      })
      socket.write(post('/v1/completions', { prompt: 'x', stream: true }))
    })
    socket.once('error', reject)
  })
}

const quantile = (sorted: readonly number[], q: number): string =>
  `${(sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN).toFixed(1)} ms`

function distribution(times: readonly number[]) {
  const sorted = [...times].sort((a, b) => a - b)
  const good = (sorted.at(-1) ?? Number.POSITIVE_INFINITY) <= MOST_FIRST_BYTE
  return {
    count: times.length,
    min: quantile(sorted, 0),
    median: quantile(sorted, 0.5),
    p90: quantile(sorted, 0.9),
    p99: quantile(sorted, 0.99),
    max: quantile(sorted, 1),
    wanted: `≤ ${MOST_FIRST_BYTE} ms`,
    good: good ? 'yes' : 'NO',
  }
}

const { url, child } = await startServer()
const wire = await tapWire(url)
const client = new OpenAI({ apiKey: 'x', baseURL: `http://127.0.0.1:${wire.port}/v1` })
const began = performance.now()
const seconds = () => ((performance.now() - began) / 1000).toFixed(1)
const messages = [{ role: 'user' as const, content: 'x' }]
const whole = new OpenAI({ apiKey: 'x', baseURL: `${url.href}v1` }).chat.completions
  .create({ model: MODEL, messages })
  .then(({ choices }) => `'${choices[0]?.message.content}' after ${seconds()} s`)
  .catch((error: unknown) => `${error} after ${seconds()} s`)
const stream = await client.chat.completions.create({ model: MODEL, messages, stream: true })

const oneByOne: number[] = []
for (let i = 0; i < streams; i++) oneByOne.push(await firstByte(url))
const atOnce = await Promise.all(Array.from({ length: together }, () => firstByte(url)))
console.log('First byte of a stream, at its socket, while its prompt is computed:')
console.table({ 'one by one': distribution(oneByOne), 'all at once': distribution(atOnce) })

let text = ''
for await (const { choices } of stream) text += choices[0]?.delta.content ?? ''
const silence = longestSilence(wire.times)
console.log(
  `openai, its defaults, streamed: '${text}' after ${seconds()} s; ` +
    `${wire.text().match(/: keep-alive/g)?.length} comments, longest silence ${silence.toFixed(0)} ms (wanted ≤ ${MOST_SILENCE} ms)`,
)
const wholeAnswer = await whole
console.log(`openai, its defaults, whole: ${wholeAnswer}`)
const isGood =
  text === 'one two three' &&
  wholeAnswer.startsWith(`'${text}'`) &&
  silence <= MOST_SILENCE &&
  [...oneByOne, ...atOnce].every((time) => time <= MOST_FIRST_BYTE)
process.exitCode = isGood ? 0 : 1
await wire.close()
child.kill()
