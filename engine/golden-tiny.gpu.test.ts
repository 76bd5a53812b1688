/** The tiny checkpoints of `../shared/goldens`, one of every architecture, against transformers: every stored logit, greedy ids. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { farthest, NEAR_TIE, parting, readGolden } from '../test/goldens.ts'
import { describeShared } from '../test/shared-folder.ts'
import { Engine } from './engine.ts'
import type { LogitsResult } from './logits.ts'

/** Whose logits are held with a cache of f16, too. */
const ALSO_F16 = new Set(['llama', 'gemma3', 'gpt-oss'])
const TOLERANCE = { f32: 2e-3, f16: 2e-2 }
describeShared('tiny goldens', (shared) => {
  const goldens = join(shared, 'goldens', 'tiny')
  describe.each(readdirSync(goldens).sort())('%s', (name) => {
    const folder = join(goldens, name)
    const caches = ALSO_F16.has(name) ? (['f32', 'f16'] as const) : (['f32'] as const)
    const golden = readGolden(folder)

    describe.each(caches)('KV cache in %s', (kv) => {
      let engine: Engine
      let answers: LogitsResult[]
      beforeAll(async () => {
        engine = await Engine.load(folder, { kv })
        // All of them at once: in each other's company.
        answers = await Promise.all(
          golden.prompts.map(({ ids, greedy }) =>
            engine.logits(ids, { all: true, greedy: kv === 'f32' ? greedy.length : 0 }),
          ),
        )
      })
      afterAll(() => engine.close())

      test('a prompt alone has the same logits, to the bit', async () => {
        const { ids } = golden.prompts.at(-1) ?? { ids: [] }
        const alone = await engine.logits(ids)
        expect(alone.last).toEqual(answers.at(-1)?.last)
      })

      test.each(golden.prompts.map((prompt, i) => [prompt.ids.length, i, prompt] as const))(
        'prompt of %i',
        async (_, index, prompt) => {
          const answer = answers[index] as LogitsResult
          const { distance, at } = farthest(prompt, answer)
          expect(distance, at).toBeLessThan(TOLERANCE[kv])
          const parts = await parting(engine, prompt, answer.greedy)
          const clear = `ids part at ${parts?.at} although the choice is clear`
          expect(parts?.lead ?? 0, clear).toBeLessThan(NEAR_TIE)
        },
      )
    })
  })
})
