/** Our engine as one of the processes that stand side by side: it answers the same calls as `bench/peers/*.mjs`. */
import { Engine } from '../../engine/index.ts'
import { freshSalt } from '../cold.ts'
import { driverNamed } from '../driver-name.ts'
import type { Opened, Written } from './peer-process.ts'

/** Of the prompts, and what follows them: as much as the peers reserve. */
const CONTEXT = 640
const SEQUENCES = 8

let engine: Engine

const calls: Record<string, (...args: never[]) => Promise<unknown>> = {
  async open({ model, adapter }: { model: string; adapter?: string }): Promise<Opened> {
    engine = await Engine.load(model, {
      contextLength: CONTEXT,
      maxSequences: SEQUENCES,
      ...(adapter ? { adapter } : {}),
    })
    const { stats, info } = engine
    const device = `${stats.adapter.name} (${driverNamed(stats.adapter)})`
    return { version: '', device, weights: info.weights }
  },
  write: (prompts: number[][], tokens: number): Promise<Written[]> =>
    Promise.all(prompts.map((prompt) => writeOne(prompt, tokens))),
  close: () => engine.close(),
}

async function writeOne(prompt: number[], tokens: number): Promise<Written> {
  // The same prompt was there before: without a salt of its own it is found in the cache, not computed.
  const cacheSalt = freshSalt()
  const start = performance.now()
  const written = { ids: [] as number[], times: [] as number[] }
  const options = { maxTokens: tokens, temperature: 0, ignoreEos: true, cacheSalt }
  for await (const { ids } of engine.generate(prompt, options)) {
    const now = performance.now() - start
    written.ids.push(...ids)
    written.times.push(...ids.map(() => now))
  }
  return written
}

process.on('message', async ({ call, args }: { call: string; args: never[] }) => {
  try {
    process.send?.({ value: (await calls[call]?.(...args)) ?? null })
  } catch (error) {
    process.send?.({ error: error instanceof Error ? error.message : String(error) })
  }
})
process.on('disconnect', () => process.exit())
