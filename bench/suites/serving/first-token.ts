/** First token after a long prefix that was seen before, over that of its new tokens alone and of all tokens cold. */
import type { GenerateResult } from '../../../engine/index.ts'
import { freshSalt } from '../../cold.ts'
import { checkIds } from '../../greedy.ts'
import { promptOf } from '../../prompts.ts'
import { figureOf, greedy, type Prepare, ratiosOf, type Scenario } from './scenario.ts'

const NEW = 16
/** Decoded after each prompt: the first alone would say little about the keys and values that were found. */
const TOKENS = 4

/** A cold long prompt takes long, and the other two are short and shaky: they are timed so often in a repeat, in turn. */
const TIMES = 3

/** Milliseconds of a hit and of its neighbours in time. */
interface Sample {
  readonly hit: number
  readonly short: number
  readonly cold: number
  readonly cached: number
}

export const firstToken: Prepare = async (engine, { shared }): Promise<Scenario> => {
  const { vocabularySize } = engine.info
  const prefix = promptOf(shared, vocabularySize)
  /** The prefix is seen under each: so the same new tokens are new under each, and one cold run tells what must come. */
  const salts = Array.from({ length: TIMES }, freshSalt)
  const run = (prompt: readonly number[], cacheSalt: string): Promise<GenerateResult> =>
    engine.generate(prompt, { ...greedy(TOKENS), cacheSalt }).result()
  const unseen = (seed: number): number[] => promptOf(NEW, vocabularySize, shared + 1 + seed)
  for (const salt of salts) await run([...prefix, ...unseen(0)], salt)
  for (const salt of salts) await run([...prefix, ...unseen(1)], salt)
  await run(unseen(0), freshSalt())
  const samples: Sample[] = []
  return {
    async repeat(number) {
      const fresh = unseen(2 + number)
      const hits: GenerateResult[] = []
      const shorts: GenerateResult[] = []
      for (const salt of salts) {
        hits.push(await run([...prefix, ...fresh], salt))
        shorts.push(await run(fresh, freshSalt()))
      }
      const cold = await run([...prefix, ...fresh], freshSalt())
      for (const [i, { ids, usage, timings }] of hits.entries()) {
        checkIds(`After ${usage.cachedTokens} tokens from the cache`, ids, cold.ids)
        samples.push({
          hit: timings.firstToken,
          short: (shorts[i] as GenerateResult).timings.firstToken,
          cold: cold.timings.firstToken,
          cached: usage.cachedTokens,
        })
      }
    },
    async figures() {
      const [hit, short, cold] = (['hit', 'short', 'cold'] as const).map((which) =>
        samples.map((sample) => sample[which]),
      ) as [number[], number[], number[]]
      const seen = `first token, ${shared} seen + ${NEW} new`
      return [
        figureOf(
          `${seen}: from the cache`,
          'tokens',
          samples.map((sample) => sample.cached),
        ),
        figureOf(seen, 'ms', hit),
        figureOf(`first token, ${NEW} cold`, 'ms', short),
        figureOf(`first token, ${shared + NEW} cold`, 'ms', cold),
        figureOf(`${seen}, over ${NEW} cold`, 'x', ratiosOf(hit, short), { is: '<=', bound: 1.5 }),
        figureOf(
          `${seen}, over ${shared + NEW} cold`,
          '%',
          ratiosOf(hit, cold).map((ratio) => ratio * 100),
          { is: '<=', bound: 6 },
        ),
      ]
    },
  }
}
