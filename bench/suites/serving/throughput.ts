/** Eight sequences at once over one, decoding; and what the event loops do while the eight stream. */
import type { Figure, Wanted } from '../../figures.ts'
import { checkIds } from '../../greedy.ts'
import { promptOf } from '../../prompts.ts'
import { spreadOf } from '../../statistics.ts'
import { figureOf, greedy, type Prepare, ratiosOf, type Scenario } from './scenario.ts'
import { runTogether, type Stream, type Stretch } from './streams.ts'

const MANY = 8
const PROMPT = 24
/** Tokens of the untimed run. */
const WARM_UP = 8
/** The loops' bounds are for steps of at least so many ms: shorter ones are all overhead. */
const LONG_STEP = 20
const LOOPS: { readonly main: Wanted; readonly worker: Wanted } = {
  main: { is: '<', bound: 0.1 },
  worker: { is: '<=', bound: 0.35 },
}

/** BF16 weights are read once for all eight; a processor that unpacks four bits has less to win. */
const wantedOf = (weights: string): Wanted => ({ is: '>=', bound: weights === 'bf16' ? 3 : 1.8 })

export const throughput: Prepare = async (engine, { decode }): Promise<Scenario> => {
  const { vocabularySize, weights } = engine.info
  const prompts = Array.from({ length: MANY }, (_, i) => promptOf(PROMPT, vocabularySize, i + 1))
  await Promise.all(prompts.map((prompt) => engine.generate(prompt, greedy(WARM_UP)).result()))
  /** Ids of each prompt when it ran alone, and of all eight at once, run by run. */
  const alone = new Map<number, readonly number[]>()
  const together: (readonly number[])[][] = []
  const one: number[] = []
  const eight: number[] = []
  const stretches: Stretch[] = []
  const runAlone = async (i: number): Promise<number> => {
    const { streams, rate } = await runTogether(engine, [prompts[i] ?? []], decode)
    const { ids } = streams[0] as Stream
    checkIds(`Prompt ${i} alone:`, ids, alone.get(i) ?? ids)
    alone.set(i, ids)
    return rate
  }
  return {
    async repeat(number) {
      one.push(await runAlone(number % MANY))
      const { streams, stretch, rate } = await runTogether(engine, prompts, decode)
      eight.push(rate)
      stretches.push(stretch)
      together.push(streams.map(({ ids }) => ids))
    },
    async figures() {
      for (const i of prompts.keys()) {
        if (!alone.has(i)) await runAlone(i)
        const expected = alone.get(i) ?? []
        for (const run of together)
          checkIds(`Prompt ${i} of ${MANY} at once:`, run[i] ?? [], expected)
      }
      return [
        figureOf(`${weights}: 1 sequence`, 'tokens/s', one),
        figureOf(`${weights}: ${MANY} at once`, 'tokens/s', eight),
        figureOf(
          `${weights}: ${MANY} at once over 1`,
          'x',
          ratiosOf(eight, one),
          wantedOf(weights),
        ),
        ...loopFigures(weights, stretches),
      ]
    },
  }
}

function loopFigures(weights: string, stretches: readonly Stretch[]): Figure[] {
  const steps = stretches.map((stretch) => stretch.ms / stretch.steps)
  const isLong = spreadOf(steps).median >= LONG_STEP
  const loop = (which: 'main' | 'worker', title: string): Figure =>
    figureOf(
      `${weights}: ${title}, ${MANY} at once`,
      'of its time',
      stretches.map((stretch) => stretch[which]),
      isLong ? LOOPS[which] : undefined,
    )
  return [
    figureOf(`${weights}: a step of ${MANY}`, 'ms', steps),
    loop('main', "main thread's event loop"),
    loop('worker', "worker's event loop"),
  ]
}
