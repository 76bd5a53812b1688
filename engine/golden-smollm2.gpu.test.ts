/** SmolLM2-135M-Instruct, 4-bit and BF16, against transformers in float32: log-probabilities and greedy ids. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expandBf16 } from '../test/expand-bf16.ts'
import { describeShared } from '../test/shared-folder.ts'
import { SLOW } from '../test/slow-adapter.ts'
import { Engine } from './engine.ts'

interface Reference {
  prompt_nll: number
  last_top10: [number, number][]
  greedy: number[]
  margins: number[]
}
interface Golden {
  cases: ({ kind: 'chat' | 'text'; ids: number[] } & Record<'bf16' | 'q4', Reference>)[]
}

const TOLERANCE = 0.02
/** On SwiftShader the 4-bit form alone is held, to its last logits and first ids. */
const FORMS: readonly ('q4' | 'bf16')[] = SLOW ? ['q4'] : ['q4', 'bf16']
const MOST_IDS = SLOW ? 2 : 64
/** Where the reference leads by less, greedy ids may part. */
const NEAR_TIE = 0.02

function logProbabilities(logits: Float32Array): (id: number) => number {
  const top = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const mass = logits.reduce((sum, value) => sum + Math.exp(value - top), 0)
  return (id) => (logits[id] ?? Number.NaN) - top - Math.log(mass)
}

const argmax = (logits: Float32Array): number =>
  logits.reduce((best, value, id) => (value > (logits[best] ?? 0) ? id : best), 0)

describeShared('SmolLM2 goldens', (shared) => {
  const golden = JSON.parse(readFileSync(join(shared, 'goldens', 'smollm2.json'), 'utf8')) as Golden
  const affine = join(shared, 'models', 'smollm2-135m-instruct-4bit')
  const scratch = mkdtempSync(join(tmpdir(), 'illuminator-bf16-'))
  afterAll(() => rmSync(scratch, { recursive: true }))

  describe.each(FORMS)('%s', (form) => {
    let engine: Engine
    beforeAll(async () => {
      const folder = form === 'q4' ? affine : join(scratch, 'bf16')
      if (form === 'bf16') await expandBf16(affine, folder)
      engine = await Engine.load(folder, { kv: 'f32', contextLength: 512 })
    })
    afterAll(() => engine.close())

    test.each(golden.cases.map((one, i) => [i, one] as const))('case %i', async (_, one) => {
      const want = one[form]
      const count = Math.min(MOST_IDS, want.greedy.length)
      const { last, all, greedy } = await engine.logits(one.ids, { all: !SLOW, greedy: count })
      const logProbability = logProbabilities(last)
      expect(argmax(last)).toBe(want.last_top10[0]?.[0])
      for (const [id, value] of want.last_top10) {
        expect(Math.abs(logProbability(id) - value), `id ${id}`).toBeLessThan(TOLERANCE)
      }
      if (all) {
        const losses = one.ids
          .slice(1)
          .map((id, i) => -logProbabilities(all[i] as Float32Array)(id))
        const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length
        expect(Math.abs(mean - want.prompt_nll)).toBeLessThan(TOLERANCE)
      }
      const tie = want.margins.findIndex((margin) => margin < NEAR_TIE)
      const sure = tie < 0 ? count : Math.min(tie, count)
      expect(greedy.slice(0, sure)).toEqual(want.greedy.slice(0, sure))
    })
  })
})
