/** The model suite over a stand-in for the engine: figures, and what makes them worthless. */
import { expect, it } from 'vitest'
import type { LoadOptions } from '../../engine/index.ts'
import { type BenchEngine, scenariosFor } from '../model/scenarios.ts'
import { benchModel } from './model.ts'

const quiet = (): void => undefined
const options = {
  model: 'tiny',
  adapter: undefined,
  prefill: [4, 8],
  decode: [8],
  batch: [],
  tokens: 5,
  repeats: 3,
  budget: 60,
  loads: 2,
  note: quiet,
}

function fakeEngine(
  idsOf: (call: number, tokens: number) => number[],
  totalMs = 200,
): {
  engine: BenchEngine
  closed: () => number
} {
  let calls = 0
  let closed = 0
  const engine = {
    info: { id: 'tiny', path: 'there', weights: 'bf16', contextLength: 64, vocabularySize: 50 },
    stats: { dispatchesPerToken: 17, adapter: { name: 'stand-in', vendor: '', kind: 'software' } },
    generate: (_: readonly number[], { maxTokens }: { maxTokens: number }) => ({
      result: async () => ({
        ids: idsOf(calls++, maxTokens),
        timings: { firstToken: 100, total: totalMs, tokensPerSecond: 40 },
      }),
    }),
    logits: async (_: readonly number[], { greedy }: { greedy: number }) => ({
      greedy: Array.from({ length: greedy }, (_, i) => i),
    }),
    close: async () => void closed++,
  } as unknown as BenchEngine
  return { engine, closed: () => closed }
}

const world = (engine: BenchEngine) => ({
  load: async (_: unknown, { onProgress }: LoadOptions) => {
    for (const phase of ['weights', 'pipelines'] as const) {
      for (const done of [0, 1]) onProgress?.({ phase, done, total: 1 })
    }
    return engine
  },
  readSeconds: async () => 1,
  coldLoad: async () => ({ total: 5, weights: 1, pipelines: 3, pipelinesProcessor: 5 }),
  floors: async () => (context: number) => context,
})

const right = (_: number, tokens: number): number[] => Array.from({ length: tokens }, (_, i) => i)

it('gives load, prefill, first token and decode, and closes every engine', async () => {
  const { engine, closed } = fakeEngine(right)
  const { figures, dispatchesPerToken } = await benchModel(options, world(engine))
  expect(figures.map(({ name, unit, median }) => [name, unit, median]).slice(3)).toEqual([
    ['load: pipelines, cold', 's', 3],
    ['load, cold', 's', 5],
    ['prefill 4', 'tokens/s', 40],
    ['first token after 4', 'ms', 100],
    ['prefill 8', 'tokens/s', 80],
    ['first token after 8', 'ms', 100],
    ['decode @8', 'tokens/s', 40],
    // 8 ms at least of the 25 that a token took.
    ['decode @8 of min(bandwidth, FMA)', '%', 32],
  ])
  expect(figures.slice(0, 2)).toMatchObject([
    { name: 'load', unit: 's', runs: 2 },
    { unit: '%', runs: 2, wanted: { is: '>=', bound: 60 } },
  ])
  expect(dispatchesPerToken).toBe(17)
  expect(closed()).toBe(4)
})

it('sequences at once count together, from the first first token to the end of all', async () => {
  const { engine } = fakeEngine(right)
  const few = { ...options, prefill: [], decode: [], batch: [3], loads: 1 }
  const { figures } = await benchModel(few, world(engine))
  // 3 × 4 tokens in 100 ms.
  expect(figures.at(-1)).toMatchObject({ name: 'decode 3 at once @32', median: 120 })
})

it('decoding over context: the ratio of the longest to the shortest, and how straight the line is', async () => {
  const { engine } = fakeEngine(right)
  const more = { ...options, prefill: [], decode: [2, 4, 8], loads: 1 }
  const { figures } = await benchModel(more, world(engine))
  const found = figures.map(({ name, median }) => [name, median])
  expect(found).toContainEqual(['decode @8 / @2', 1])
  expect(found).toContainEqual(['token cost over context, off a line', 0])
})

it.each([
  [
    'a repeat that differs',
    (call: number, tokens: number) => right(call, tokens).map((id) => (call > 1 ? 7 : id)),
  ],
  ['too few ids', (call: number, tokens: number) => right(call, tokens - 1)],
  ['too many ids', (call: number, tokens: number) => right(call, tokens + 1)],
])('%s is an error, and the engine is closed', async (_, idsOf) => {
  const { engine, closed } = fakeEngine(idsOf)
  await expect(benchModel({ ...options, loads: 1 }, world(engine))).rejects.toThrow(
    /greedy ids differ/,
  )
  expect(closed()).toBe(2)
})

it('repeats a slow scenario no more than twice, and says so', async () => {
  const { engine } = fakeEngine(right, 40_000)
  const { figures } = await benchModel({ ...options, repeats: 9 }, world(engine))
  expect(figures.slice(5).map(({ runs }) => runs)).toEqual([2, 2, 2, 2, 2, 2])
})

it('leaves out, with a note, what exceeds the context', () => {
  const notes: string[] = []
  const fits = scenariosFor({ prefill: [4, 15], decode: [12], batch: [2], tokens: 5 }, 16, (line) =>
    notes.push(line),
  )
  expect(fits).toEqual([{ prompt: 4, sequences: 1, tokens: 2, timesPrefill: true }])
  expect(notes).toEqual([
    'left out: 12 + 5 tokens exceed the context of 16',
    'left out: 15 + 2 tokens exceed the context of 16',
    'left out: 32 + 5 tokens exceed the context of 16',
  ])
})
