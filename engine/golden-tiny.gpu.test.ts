/** The tiny Llama checkpoints of `../shared/goldens` against transformers: logits at every stored position, greedy ids. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeShared } from '../test/shared-folder.ts'
import { Engine } from './engine.ts'

interface Golden {
  prompts: {
    ids: number[]
    last_logits: number[]
    top8: Record<string, [number, number][]>
    greedy: number[]
  }[]
}

const FOLDERS = ['llama', 'llama-mha-untied', 'llama3-rope', 'llama-yarn', 'llama-linear-rope']
const TOLERANCE = { f32: 2e-3, f16: 2e-2 }
/** Below this lead the reference itself may have chosen otherwise. */
const NEAR_TIE = 5e-3

const leadOf = (logits: Float32Array): number => {
  const [first = 0, second = 0] = Float32Array.from(logits).sort().reverse()
  return first - second
}

describeShared('tiny Llama goldens', (shared) => {
  describe.each(FOLDERS)('%s', (name) => {
    const folder = join(shared, 'goldens', 'tiny', name)
    const golden = JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8')) as Golden

    describe.each(['f32', 'f16'] as const)('KV cache in %s', (kv) => {
      let engine: Engine
      beforeAll(async () => {
        engine = await Engine.load(folder, { kv })
      })
      afterAll(() => engine.close())

      test.each(golden.prompts.map((prompt) => [prompt.ids.length, prompt] as const))(
        'prompt of %i',
        async (_, prompt) => {
          const { last, all, greedy } = await engine.logits(prompt.ids, {
            all: true,
            greedy: kv === 'f32' ? prompt.greedy.length : 0,
          })
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
