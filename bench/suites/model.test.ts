/** The model suite over a stand-in for the engine: figures, and what makes them worthless. */
import { expect, it } from 'vitest'
import { type BenchEngine, benchModel, scenariosFor } from './model.ts'

const quiet = (): void => undefined
const options = {
  model: 'tiny',
  load: {},
  prefill: [4, 8],
  decode: [8],
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
    info: { id: 'tiny', weights: 'bf16', contextLength: 16, vocabularySize: 50 },
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

const right = (_: number, tokens: number): number[] => Array.from({ length: tokens }, (_, i) => i)

it('gives load, prefill, first token and decode, and closes every engine', async () => {
  const { engine, closed } = fakeEngine(right)
  const { figures, dispatchesPerToken } = await benchModel(options, async () => engine)
  expect(figures.map(({ name, unit, median }) => [name, unit, median]).slice(1)).toEqual([
    ['prefill 4', 'tokens/s', 40],
    ['first token after 4', 'ms', 100],
    ['prefill 8', 'tokens/s', 80],
    ['first token after 8', 'ms', 100],
    ['decode @8', 'tokens/s', 40],
  ])
  expect(figures[0]).toMatchObject({ name: 'load', unit: 's' })
  expect(dispatchesPerToken).toBe(17)
  expect(closed()).toBe(2)
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
  await expect(benchModel({ ...options, loads: 1 }, async () => engine)).rejects.toThrow(
    /greedy ids differ/,
  )
  expect(closed()).toBe(1)
})

it('repeats a slow scenario no more than twice, and says so', async () => {
  const { engine } = fakeEngine(right, 40_000)
  const { figures } = await benchModel({ ...options, repeats: 9 }, async () => engine)
  expect(figures.map(({ runs }) => runs)).toEqual([2, 2, 2, 2, 2, 2])
})

it('leaves out, with a note, what exceeds the context', () => {
  const notes: string[] = []
  const fits = scenariosFor({ prefill: [4, 15], decode: [12], tokens: 5 }, 16, (line) =>
    notes.push(line),
  )
  expect(fits).toEqual([{ prompt: 4, tokens: 2, timesPrefill: true }])
  expect(notes).toEqual([
    'left out: 12 + 5 tokens exceed the context of 16',
    'left out: 15 + 2 tokens exceed the context of 16',
  ])
})
