/** Activations of eight bits: logits that stay near, the same tokens whatever the company, and nothing else for float weights. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RandomLlama, TEXT_VOCABULARY, writeRandomLlama } from '../test/random-llama.ts'
import { Engine } from './engine.ts'
import type { AllLoadOptions } from './load-model.ts'
import { removeFolder } from './weights/fixture.ts'

let packed: RandomLlama
let floats: RandomLlama
beforeAll(async () => {
  const sizes = { seed: 9, hidden: 64, intermediate: 128, layers: 2, text: true }
  packed = await writeRandomLlama({ ...sizes, affine: { bits: 4, group: 32 } })
  floats = await writeRandomLlama(sizes)
})
afterAll(async () => {
  for (const model of [packed, floats]) if (model) await removeFolder(model.folder)
})

const ids = (length: number, shift = 0): number[] =>
  Array.from({ length }, (_, i) => 2 + ((i * 37 + shift * 11) % (TEXT_VOCABULARY - 2)))

async function withEngine<T>(
  model: RandomLlama,
  activations: 'f32' | 'int8',
  use: (engine: Engine) => Promise<T>,
): Promise<T> {
  const options: AllLoadOptions = { activations, kv: 'f32', device: { inThread: true } }
  const engine = await Engine.load(model.folder, options)
  try {
    return await use(engine)
  } finally {
    await engine.close()
  }
}

test('weights of 4 bits: logits stay near those over f32, and company changes no token', async () => {
  const exact = await withEngine(packed, 'f32', (engine) => engine.logits(ids(40)))
  await withEngine(packed, 'int8', async (engine) => {
    const { last } = await engine.logits(ids(40))
    const far = Math.max(...last.map((logit, i) => Math.abs(logit - (exact.last[i] as number))))
    const spread = Math.max(...exact.last) - Math.min(...exact.last)
    expect(far).toBeGreaterThan(0)
    expect(far).toBeLessThan(spread / 20)
    const answer = (shift: number, cacheSalt: string) =>
      engine
        .generate(ids(20 + shift, shift), {
          temperature: 0,
          maxTokens: 12,
          ignoreEos: true,
          cacheSalt,
        })
        .result()
    const alone: (readonly number[])[] = []
    for (const shift of [0, 1, 2, 3, 4]) alone.push((await answer(shift, 'alone')).ids)
    const together = await Promise.all([0, 1, 2, 3, 4].map((shift) => answer(shift, 'together')))
    expect(together.map((one) => one.ids)).toEqual(alone)
  })
})

test('weights that are floats have nothing to gain: the same bits', async () => {
  const exact = await withEngine(floats, 'f32', (engine) => engine.logits(ids(30)))
  const other = await withEngine(floats, 'int8', (engine) => engine.logits(ids(30)))
  expect(other.last).toEqual(exact.last)
})
