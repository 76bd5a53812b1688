/** The loop over a runner that answers at once: it wakes for everybody. */
import { expect, it } from 'vitest'
import { EngineError } from './errors.ts'
import type { LoadedModel } from './load-model.ts'
import { Loop } from './loop.ts'
import { GREEDY } from './sampling/sampling.ts'
import { type Ending, Request } from './schedule/request.ts'
import type { Step } from './schedule/step.ts'

/** Chooses 7 for every pick, in no time; the last pipelines are there once `rest` resolves. */
function instantModel(rest = Promise.resolve(), isReady = true): LoadedModel {
  let isWhole = isReady
  void rest.then(() => {
    isWhole = true
  })
  const launched: Step[] = []
  const outcomesOf = ({ runs }: Step) =>
    runs.map(({ picks }) => ({ ids: Array(picks).fill(7), details: null, logits: null }))
  const runner = {
    sizes: { chunk: 16 },
    get isWhole() {
      return isWhole
    },
    expected: undefined,
    launch: (step: Step) => launched.push(step),
    waitUntilNear: async () => undefined,
    collect: async (count: number) =>
      launched.splice(0, count).map((step) => ({ outcomes: outcomesOf(step), took: 1 })),
    drain: async () => undefined,
  }
  return {
    open: { runner, rest, device: { close: () => undefined } },
    sizes: { groups: [{ window: 0, pages: 8, held: 8 }], slots: 2, picks: 4 },
    drafter: 'lookup',
  } as unknown as LoadedModel
}

const generate = (
  loop: Loop,
  sampling = GREEDY,
  request = new Request([1, 2, 3], { maxTokens: 1 }),
): Promise<Ending | null> =>
  new Promise((resolve) => {
    loop.submit({
      request,
      sampling,
      onIds: () => undefined,
      onLogits: () => undefined,
      onEnd: ({ ending }) => resolve(ending),
    })
  })

it('keeps a request back whose pipelines are still compiled, and serves the others', async () => {
  let compiled: () => void = () => undefined
  const rest = new Promise<void>((resolve) => {
    compiled = resolve
  })
  const loop = new Loop(instantModel(rest, false), () => undefined)
  const told: string[] = []
  const logprobs = { ...GREEDY, logprobs: 2 }
  const kept = generate(loop, logprobs).then((ending) => told.push(`kept: ${ending}`))
  const request = new Request([4, 5], { maxTokens: 1 })
  const left = generate(loop, logprobs, request).then((ending) => told.push(`left: ${ending}`))
  expect(await generate(loop)).toBe('length')
  loop.end(request, 'aborted')
  await left
  expect(told).toEqual(['left: aborted'])
  compiled()
  await kept
  expect(told).toEqual(['left: aborted', 'kept: length'])
  expect(await generate(loop, logprobs)).toBe('length')
  await loop.stop(new EngineError('closed', 'The test is over.'))
})

it('serves a request however soon it comes after the last one ended', async () => {
  for (let turns = 0; turns < 20; turns++) {
    const loop = new Loop(instantModel(), () => undefined)
    await generate(loop)
    for (let i = 0; i < turns; i++) await null
    const next = generate(loop).then(() => 'served')
    const idle = new Promise((resolve) => setImmediate(() => resolve('forgotten')))
    expect(await Promise.race([next, idle]), `after ${turns} turns`).toBe('served')
    await loop.stop(new EngineError('closed', 'The test is over.'))
  }
})
