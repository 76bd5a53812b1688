/** Drafting by prompt lookup where the answer repeats its prompt: tokens a second with and without. */
import type { GenerateResult } from '../../../engine/index.ts'
import { BenchError } from '../../failure.ts'
import { checkIds } from '../../greedy.ts'
import { figureOf, greedy, type Prepare, ratiosOf, type Scenario } from './scenario.ts'

/** Tokens to draft ahead: the engine is loaded with it. */
export const DRAFTS = 4

const VERSE = [
  'The mill turns slowly when the river is low,',
  'the river is low when the summer is dry,',
  'and nobody hurries as far as I know',
  'to fetch what the miller forgot on the sly.',
].join('\n')
const TIMES = 4

export const speculation: Prepare = async (engine, { drafted }): Promise<Scenario> => {
  const prompt = engine.tokenize(Array.from({ length: TIMES }, () => `${VERSE}\n\n`).join(''))
  const run = (speculate: number): Promise<GenerateResult> =>
    engine.generate(prompt, { ...greedy(drafted), speculate }).result()
  const { ids: expected } = await run(0)
  await run(DRAFTS)
  const plain: number[] = []
  const ahead: number[] = []
  const accepted: number[] = []
  return {
    async repeat() {
      const none = await run(0)
      checkIds('Without drafts', none.ids, expected)
      const before = engine.stats.speculation
      const some = await run(DRAFTS)
      checkIds(`With ${DRAFTS} drafts`, some.ids, expected)
      const after = engine.stats.speculation
      plain.push(none.timings.tokensPerSecond)
      ahead.push(some.timings.tokensPerSecond)
      accepted.push(shareOf(after.accepted - before.accepted, after.drafted - before.drafted))
    },
    async figures() {
      return [
        figureOf('repeating answer: no drafts', 'tokens/s', plain),
        figureOf(`repeating answer: ${DRAFTS} drafts`, 'tokens/s', ahead),
        figureOf(`repeating answer: ${DRAFTS} drafts over none`, 'x', ratiosOf(ahead, plain)),
        figureOf('repeating answer: drafts that were right', '%', accepted),
      ]
    },
  }
}

function shareOf(accepted: number, drafted: number): number {
  if (drafted > 0) return (accepted / drafted) * 100
  throw new BenchError('Nothing was drafted, though the prompt repeats itself: no figure.')
}
