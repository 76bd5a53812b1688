/**
 * How soon a server listens and answers `/health`, from the start of the process: the built command line, with a hub
 * that never answers, so that nothing but the start is measured. Run by hand, on a machine that does nothing else:
 * `npm run build && node --import ./test/run-typescript.mjs test/startup-time.ts [runs]`
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const WANTED = 300
const runs = Number(process.argv[2] ?? 11)
const hub = createServer(() => {})
await new Promise<void>((resolve) => hub.listen(0, '127.0.0.1', resolve))
const env = {
  ...process.env,
  HF_ENDPOINT: `http://127.0.0.1:${(hub.address() as AddressInfo).port}`,
  HF_HUB_ETAG_TIMEOUT: '60',
  ILLUMINATOR_MODELS: mkdtempSync(join(tmpdir(), 'illuminator-')),
}
const main = join(import.meta.dirname, '..', 'dist', 'cli', 'main.js')

function ended(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => child.once('close', resolve))
}

/** Milliseconds until Node itself has started and ended: what no program can be faster than. */
async function bareNode(): Promise<number> {
  const began = performance.now()
  await ended(spawn(process.execPath, ['-e', '0']))
  return performance.now() - began
}

async function oneStart(): Promise<{ listens: number; health: number }> {
  const began = performance.now()
  const args = [main, 'serve', '--port', '0', '--data', ':memory:', '--model', 'no/model']
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'ignore'] })
  const over = ended(child)
  let out = ''
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (data) => {
      out += data
      const [found] = /http:\/\/\S+/.exec(out) ?? []
      if (found) resolve(found)
    })
    void over.then(() => reject(new Error(`the server did not start: ${out}`)))
  })
  const listens = performance.now() - began
  const { status } = await fetch(`${url}/health`)
  if (status !== 503) throw new Error(`/health answered ${status} while loading`)
  const health = performance.now() - began
  child.kill('SIGKILL')
  await over
  return { listens, health }
}

const median = (values: number[]): string => {
  const middle = [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
  return `${middle.toFixed(0)} ms`
}

const bare: number[] = []
const listens: number[] = []
const health: number[] = []
for (let run = 0; run < runs; run++) {
  bare.push(await bareNode())
  const start = await oneStart()
  listens.push(start.listens)
  health.push(start.health)
}
hub.close()
hub.closeAllConnections()
console.table({
  'node -e 0': { median: median(bare), wanted: '' },
  listens: { median: median(listens), wanted: `${WANTED} ms` },
  'answers /health': { median: median(health), wanted: `${WANTED} ms` },
})
