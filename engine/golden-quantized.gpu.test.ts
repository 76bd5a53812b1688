/** The packed forms of `../shared/goldens/quantized`, against float32 on the weights unpacked by torch: last logits, greedy ids. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { describeShared } from '../test/shared-folder.ts'
import { Engine } from './engine.ts'

interface Golden {
  prompts: { ids: number[]; last_logits: number[]; greedy: number[] }[]
}

const TOLERANCE = 2e-3
/** Below this lead the reference itself may have chosen otherwise. */
const NEAR_TIE = 5e-3

const leadOf = (logits: Float32Array): number => {
  const [first = 0, second = 0] = Float32Array.from(logits).sort().reverse()
  return first - second
}

describeShared('quantized goldens', (shared) => {
  const goldens = join(shared, 'goldens', 'quantized')
  test.each(readdirSync(goldens).sort())('%s', async (name) => {
    const folder = join(goldens, name)
    const golden = JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8')) as Golden
    const engine = await Engine.load(folder, { kv: 'f32', activations: 'f32' })
    try {
      for (const prompt of golden.prompts) {
        const { last, greedy } = await engine.logits(prompt.ids, { greedy: prompt.greedy.length })
        const far = prompt.last_logits.map((want, i) => Math.abs(want - (last[i] ?? Number.NaN)))
        expect(Math.max(...far), `prompt of ${prompt.ids.length}`).toBeLessThan(TOLERANCE)
        const parts = greedy.findIndex((id, i) => id !== prompt.greedy[i])
        if (parts < 0) continue
        const before = [...prompt.ids, ...greedy.slice(0, parts)]
        const lead = leadOf((await engine.logits(before)).last)
        expect(lead, `ids part at ${parts} although the choice is clear`).toBeLessThan(NEAR_TIE)
      }
    } finally {
      await engine.close()
    }
  })
})
