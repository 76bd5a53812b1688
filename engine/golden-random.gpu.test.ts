/**
 * Random configurations of every family against transformers (`test/python/random_goldens.py` prints
 * `test/goldens/random.json`): sizes that no published model has, all last logits and greedy ids, several prompts at once.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { farthest, type NamedGolden, NEAR_TIE, parting, writeNamed } from '../test/goldens.ts'
import { Engine } from './engine.ts'
import { removeFolder } from './weights/fixture.ts'

const goldens = JSON.parse(
  readFileSync(new URL('../test/goldens/random.json', import.meta.url), 'utf8'),
) as NamedGolden[]

describe('random configurations', () => {
  test.each(goldens.map((golden) => [golden.name, golden] as const))('%s', async (_, golden) => {
    const { prompts, context } = golden
    const folder = await writeNamed(golden)
    const engine = await Engine.load(folder, {
      kv: 'f32',
      ...(context ? { contextLength: context } : {}),
    })
    try {
      const answers = await Promise.all(
        prompts.map(({ ids, greedy }) => engine.logits(ids, { greedy: greedy.length })),
      )
      for (const [i, prompt] of prompts.entries()) {
        const answer = answers[i] as (typeof answers)[number]
        const { distance, at } = farthest(prompt, answer)
        expect(distance, at).toBeLessThan(2e-3)
        const parts = await parting(engine, prompt, answer.greedy)
        const clear = `ids part at ${parts?.at} although the choice is clear`
        expect(parts?.lead ?? 0, clear).toBeLessThan(NEAR_TIE)
      }
    } finally {
      await engine.close()
      await removeFolder(folder)
    }
  })
})
