/** The serving suite over a stand-in for the engine: its figures, and that a wrong output leaves none. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { removeFolder } from '../../engine/weights/fixture.ts'
import { writeRandomLlama } from '../../test/random-llama.ts'
import { FakeEngine, type FakeOptions, type Occasion } from './serving/fake-engine.ts'
import { benchServing } from './serving.ts'

const options = {
  model: 'tiny',
  bf16: 'tiny-bf16',
  load: { adapter: 'stand-in' },
  sizes: { decode: 12, shared: 40, admitted: 30, around: 4, answer: 10, drafted: 8 },
  repeats: 3,
  budget: 60,
  note: (): void => undefined,
}

/** Loads stand-ins and keeps them, with what they were asked to load. */
function stable(spoils: (occasion: Occasion) => boolean = () => false, more: FakeOptions = {}) {
  const engines: FakeEngine[] = []
  const asked: unknown[] = []
  const load = async (model: string | undefined, loadOptions: object): Promise<FakeEngine> => {
    asked.push([model, loadOptions])
    const weights = model?.includes('bf16') ? 'bf16' : 'affine-4bit/32'
    const engine = new FakeEngine({ weights, spoils, ...more })
    engines.push(engine)
    return engine
  }
  return { load, engines, asked }
}

it('measures every scenario, names what is wanted, and closes every engine', async () => {
  // So few steps a token that a step is long.
  const { load, engines, asked } = stable(() => false, { steps: 1e-6 })
  const { figures, ...told } = await benchServing(options, load)
  expect(told).toMatchObject({ model: 'fake', weights: 'affine-4bit/32', adapter: 'stand-in' })
  const adapter = 'stand-in'
  expect(asked).toEqual([
    ['tiny', { adapter }],
    ['tiny', { adapter, speculate: 4 }],
    ['tiny-bf16', { adapter }],
  ])
  expect(engines.map(({ closed }) => closed)).toEqual([1, 1, 1])
  expect(new Set(figures.map(({ name }) => name)).size).toBe(figures.length)
  expect(figures.every(({ median }) => Number.isFinite(median))).toBe(true)
  // Hits are timed three times a repeat.
  expect(new Set(figures.map(({ runs }) => runs))).toEqual(new Set([3, 9]))
  const wanted = figures.flatMap(({ name, wanted }) =>
    wanted ? [`${name} ${wanted.is} ${wanted.bound}`] : [],
  )
  expect(wanted).toEqual([
    'affine-4bit/32: 8 at once over 1 >= 1.8',
    "affine-4bit/32: main thread's event loop, 8 at once < 0.1",
    "affine-4bit/32: worker's event loop, 8 at once <= 0.35",
    'first token, 40 seen + 16 new, over 16 cold <= 1.5',
    'first token, 40 seen + 16 new, over 56 cold <= 6',
    'second turn: of them in the cache >= 95',
    'gaps of 4 streams beside 30 cold tokens: p99 over median <= 3',
    'bf16: 8 at once over 1 >= 3',
    "bf16: main thread's event loop, 8 at once < 0.1",
    "bf16: worker's event loop, 8 at once <= 0.35",
  ])
  const of = (name: string): number | undefined =>
    figures.find((figure) => figure.name === name)?.median
  expect(of("bf16: worker's event loop, 8 at once")).toBeCloseTo(0.25)
  expect(of('first token, 40 seen + 16 new: from the cache')).toBe(40)
  expect(of('second turn: of them in the cache')).toBe(100)
  expect(of('repeating answer: drafts that were right')).toBeCloseTo(50)
})

it('judges no event loop by steps that are all overhead', async () => {
  const { figures } = await benchServing(options, stable().load)
  expect(figures.filter(({ name, wanted }) => name.includes('loop') && wanted)).toEqual([])
})

it.each<[string, (occasion: Occasion) => boolean]>([
  ['eight at once', ({ running, prompt }) => running === 8 && prompt.length === 24],
  ['a prefix from the cache', ({ cached, prompt }) => cached === 40 && prompt.length === 56],
  ['a second turn', ({ cached, prompt }) => prompt[0] === 1 && cached > 0],
  ['a prompt beside streams', ({ running, prompt }) => running === 5 && prompt.length === 30],
  ['streams beside a prompt', ({ running, prompt }) => running === 5 && prompt.length > 60],
  ['drafts', ({ options }) => (options.speculate ?? 0) > 0],
])('%s: wrong ids are an error, and the engine is closed', async (_, spoils) => {
  const { load, engines } = stable(spoils)
  await expect(benchServing(options, load)).rejects.toThrow(/greedy ids differ/)
  expect(engines.every(({ closed }) => closed === 1)).toBe(true)
})

it('has no figure for drafts where nothing was drafted', async () => {
  const { load } = stable(() => false, { drafted: 0 })
  await expect(benchServing(options, load)).rejects.toThrow('Nothing was drafted')
})

it('repeats a scenario no more than twice when its time is up', async () => {
  const { figures } = await benchServing({ ...options, budget: 0 }, stable().load)
  expect(new Set(figures.map(({ runs }) => runs))).toEqual(new Set([2, 6]))
})

it('writes the BF16 form where none is given, and removes it', async () => {
  const { folder } = await writeRandomLlama({ affine: { bits: 4, group: 32 } })
  const written: string[] = []
  const load = async (model: string | undefined): Promise<FakeEngine> => {
    if (model !== folder) written.push(model ?? '')
    for (const one of written) expect(existsSync(join(one, 'model.safetensors'))).toBe(true)
    return new FakeEngine({ path: folder, weights: model === folder ? 'affine-4bit/32' : 'bf16' })
  }
  const { figures } = await benchServing({ ...options, model: folder, bf16: undefined }, load)
  expect(figures.some(({ name }) => name === 'bf16: 8 at once over 1')).toBe(true)
  expect(written.map((one) => existsSync(one))).toEqual([false])
  await removeFolder(folder)
})

it('measures a model that is BF16 as it is once', async () => {
  const { load, asked } = stable(() => false, { weights: 'bf16' })
  const { figures } = await benchServing({ ...options, bf16: undefined }, load)
  expect(figures.filter(({ name }) => name === 'bf16: 8 at once over 1')).toHaveLength(1)
  expect(asked).toHaveLength(2)
})
