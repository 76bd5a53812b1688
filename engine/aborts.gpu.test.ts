/** Requests that are given up, at any moment and in every way: nothing of them stays behind. */
import { readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Random } from '../kernels/index.ts'
import { type RandomLlama, TEXT_VOCABULARY, writeRandomLlama } from '../test/random-llama.ts'
import { SLOW } from '../test/slow-adapter.ts'
import type { GenerateOptions } from './api.ts'
import { Engine } from './engine.ts'
import { removeFolder } from './weights/fixture.ts'

const ABORTS = SLOW ? 1000 : 10_000
/** Requests at once; a third of them runs. */
const CLIENTS = 24
const SLOTS = 8
/** Aborts between two looks at the memory. */
const WINDOW = 250
/** Of what JavaScript holds; and of the process, where V8's heaps and malloc's arenas come and go by themselves. */
const MOST_GROWTH = { held: 2 * 2 ** 20, resident: 32 * 2 ** 20 }

let model: RandomLlama
let engine: Engine
beforeAll(async () => {
  const tiny = { layers: 1, hidden: 32, intermediate: 64, context: 512 }
  model = await writeRandomLlama({ seed: 5, text: true, ...tiny })
  engine = await Engine.load(model.folder, { maxSequences: SLOTS, prefillChunk: 32 })
})
afterAll(async () => {
  await engine?.close()
  if (model) await removeFolder(model.folder)
})

async function idle(): Promise<void> {
  while (engine.stats.running + engine.stats.queued > 0) await new Promise(setImmediate)
}

// A flag on the command line would be every test's.
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Bytes that JavaScript holds once garbage is collected, and bytes of the process that no file stands behind. */
function bytesInUse(): { held: number; resident: number } {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  const [, kilobytes] = /RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return { held: heapUsed + external, resident: Number(kilobytes) * 1024 }
}

/** Growth over the second half: the first thousands fill V8's heaps and the driver's pools. */
function growthOf(bytes: readonly number[]): number {
  const half = bytes.slice(bytes.length / 2)
  const quarter = Math.floor(half.length / 4)
  return median(half.slice(-quarter)) - median(half.slice(0, quarter))
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

/** How often what was seen. */
const seen = { withoutToken: 0, afterToken: 0, bySignal: 0, byReturn: 0 }
/** What must not be: chunks after an abort, other endings than `aborted`. */
const wrong: string[] = []

/** A request that would go on for long, and how it is given up: after so many chunks, or after so many milliseconds. */
async function giveUp(random: Random): Promise<void> {
  const controller = new AbortController()
  const length = random.below(4) === 0 ? 150 : 1 + random.below(40)
  const shift = random.below(50)
  const prompt = Array.from({ length }, (_, i) => 2 + ((i * 37 + shift) % (TEXT_VOCABULARY - 2)))
  const options: GenerateOptions = {
    ignoreEos: true,
    temperature: random.below(2),
    n: random.below(5) === 0 ? 3 : 1,
    priority: random.below(4) === 0 ? 'batch' : 'interactive',
    cacheSalt: String(random.below(3)),
    signal: controller.signal,
  }
  const generation = engine.generate(prompt, options)
  const most = random.below(3) === 0 ? 1 + random.below(5) : Number.POSITIVE_INFINITY
  const leaves = most < 10 && random.below(2) === 0
  const timer = most < 10 ? undefined : setTimeout(() => controller.abort(), random.below(12))
  let chunks = 0
  try {
    for await (const _ of generation) {
      if (controller.signal.aborted && timer) wrong.push(`a chunk ${chunks} after the abort`)
      if (++chunks < most) continue
      if (leaves) break
      controller.abort()
    }
  } catch {
    // Told by the result, too.
  }
  clearTimeout(timer)
  seen[leaves ? 'byReturn' : 'bySignal']++
  seen[chunks > 0 ? 'afterToken' : 'withoutToken']++
  await generation.result().then(
    ({ choices }) => wrong.push(`an answer of ${choices[0]?.ids.length} ids`),
    ({ code }) => code === 'aborted' || wrong.push(`an error ${code}`),
  )
}

test(`${ABORTS} aborts leave no chunk, no page, no buffer and no memory behind`, async () => {
  await engine.generate([2, 3, 4], { maxTokens: 4 }).result()
  const before = engine.stats
  const random = new Random(3)
  const looks: ReturnType<typeof bytesInUse>[] = []
  for (let done = 0; done < ABORTS; done += WINDOW) {
    let rest = WINDOW
    const client = async (): Promise<void> => {
      while (rest-- > 0) await giveUp(random)
    }
    await Promise.all(Array.from({ length: CLIENTS }, client))
    await idle()
    looks.push(bytesInUse())
    const { free, cached, inUse, total } = engine.stats.pages
    expect({ inUse, all: free + cached }).toEqual({ inUse: 0, all: total })
    expect(wrong).toEqual([])
  }
  const { memory, calls, restarts } = engine.stats
  expect(memory).toEqual(before.memory)
  expect(calls.buffers).toBe(before.calls.buffers)
  expect(restarts).toBe(0)
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(ABORTS / 10)
  if (SLOW) return
  expect(growthOf(looks.map(({ held }) => held))).toBeLessThan(MOST_GROWTH.held)
  expect(growthOf(looks.map(({ resident }) => resident))).toBeLessThan(MOST_GROWTH.resident)
})

test('what came before an abort and was not taken yet is not handed out after it', async () => {
  let late = 0
  for (let round = 0; round < 20; round++) {
    const controller = new AbortController()
    const generation = engine.generate([2, 3, 4], {
      n: 3,
      ignoreEos: true,
      signal: controller.signal,
    })
    let chunks = 0
    try {
      for await (const _ of generation) {
        if (controller.signal.aborted) late++
        if (++chunks === 10 + round) controller.abort()
      }
    } catch {
      // Cancelled, as it must be.
    }
  }
  expect(late).toBe(0)
})

test('to return while a chunk is awaited gives the request up at once', async () => {
  const all = Array.from({ length: SLOTS }, () => engine.generate([2, 3], { ignoreEos: true }))
  const running = all.map((one) => one[Symbol.asyncIterator]())
  for (const one of running) await one.next()
  // No place is left: this one waits for its first chunk.
  const waiting = engine.generate([2, 3, 4], { ignoreEos: true })[Symbol.asyncIterator]()
  const awaited = waiting.next()
  const left = waiting.return?.()
  try {
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(engine.stats.queued).toBe(0)
  } finally {
    for (const one of running) await one.return?.()
    await awaited
    await left
    await idle()
  }
})
