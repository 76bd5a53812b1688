/** The tiny checkpoints of `../shared/goldens`, one of every architecture, against transformers: every stored logit, greedy ids. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeShared } from '../test/shared-folder.ts'
import { Engine } from './engine.ts'
import type { LogitsResult } from './logits.ts'

interface Golden {
  prompts: {
    ids: number[]
    last_logits: number[]
    top8: Record<string, [number, number][]>
    greedy: number[]
  }[]
}

/** Whose logits are held with a cache of f16, too. */
const ALSO_F16 = new Set(['llama', 'gemma3', 'gpt-oss'])
const TOLERANCE = { f32: 2e-3, f16: 2e-2 }
/** Below this lead the reference itself may have chosen otherwise. */
const NEAR_TIE = 5e-3

const leadOf = (logits: Float32Array): number => {
  const [first = 0, second = 0] = Float32Array.from(logits).sort().reverse()
  return first - second
}

describeShared('tiny goldens', (shared) => {
  const goldens = join(shared, 'goldens', 'tiny')
  describe.each(readdirSync(goldens).sort())('%s', (name) => {
    const folder = join(goldens, name)
    const caches = ALSO_F16.has(name) ? (['f32', 'f16'] as const) : (['f32'] as const)
    const golden = JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8')) as Golden

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
          const { last, all, greedy } = answers[index] as LogitsResult
          const worst = Math.max(
            ...prompt.last_logits.map((want, i) => Math.abs(want - (last[i] ?? Number.NaN))),
          )
          expect(worst).toBeLessThan(TOLERANCE[kv])
          for (const [position, tops] of Object.entries(prompt.top8)) {
            for (const [id, want] of tops) {
              const got = all?.[Number(position)]?.[id] ?? Number.NaN
              expect(Math.abs(got - want), `position ${position}, id ${id}`).toBeLessThan(
                TOLERANCE[kv],
              )
            }
          }
          const parts = greedy.findIndex((id, i) => id !== prompt.greedy[i])
          if (parts < 0) return
          const before = [...prompt.ids, ...greedy.slice(0, parts)]
          const lead = leadOf((await engine.logits(before)).last)
          expect(lead, `ids part at ${parts} although the choice is clear`).toBeLessThan(NEAR_TIE)
        },
      )
    })
  })
})
