/** The profile of a tiny model, both ways of timing: it tells every dispatch of a token, and what the host did for it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { removeFolder } from '../../engine/weights/fixture.ts'
import { type RandomLlama, writeRandomLlama } from '../../test/random-llama.ts'
import { holds } from '../figures.ts'
import { profileTable } from '../report/profile-table.ts'
import { profile } from './profile.ts'

let model: RandomLlama
beforeAll(async () => {
  model = await writeRandomLlama({ layers: 2, hidden: 32, intermediate: 64, vocabulary: 301 })
})
afterAll(() => removeFolder(model.folder))

const options = {
  adapter: undefined,
  context: 20,
  tokens: 8,
  repeats: 2,
  prefill: false,
  differencing: false,
  probes: { bytes: 2 ** 22, atLeast: 1, repeats: 1 },
  note: () => undefined,
}

test.each([
  ["by the adapter's clock where it has one, else by differencing", {}],
  ['by differencing', { differencing: true }],
])('%s: every dispatch of a decoded token', async (_, more) => {
  const found = await profile({ ...options, ...more, model: model.folder })
  const count = (name: string) =>
    found.kernels
      .filter((one) => one.name.startsWith(name))
      .reduce((sum, { dispatches }) => sum + dispatches, 0)
  expect(found.rows).toBe(1)
  expect(count('')).toBe(2 * 5 + 5)
  expect(
    ['rms-norm', 'linear-norm', 'qkv', 'attention', 'gate-up', 'embed', 'sample'].map(count),
  ).toEqual([2, 4, 2, 2, 2, 1, 1])
  expect(found.kernels.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(100)
  for (const { name } of found.kernels) expect(profileTable(found)).toContain(name)
  const figures = Object.fromEntries(found.host.map((figure) => [figure.name, figure]))
  for (const name of [
    'dispatches a layer',
    'passes a token',
    'submits a token',
    'objects made a token',
  ]) {
    const figure = figures[name]
    expect(figure && holds(figure), name).toBe(true)
  }
  expect(figures['dispatches a token']).toMatchObject({ min: 15, max: 15 })
  const { wanted, runs } = figures['encode, the adapter idle'] ?? {}
  expect(wanted).toEqual({ is: '<=', bound: 0.053 })
  expect(figures['encode again at once, in warm caches']).toMatchObject({ unit: 'ms', runs })
  expect(figures['submit, the adapter idle']).toMatchObject({ unit: 'ms', runs })
})

test('of a step of the prompt', async () => {
  const found = await profile({ ...options, model: model.folder, prefill: true })
  expect(found.rows).toBe(20)
})
