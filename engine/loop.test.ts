/** The loop over a runner that answers at once: it wakes for everybody. */
import { expect, it } from 'vitest'
import { EngineError } from './errors.ts'
import type { LoadedModel } from './load-model.ts'
import { Loop } from './loop.ts'
import { GREEDY } from './sampling/sampling.ts'
import { Request } from './schedule/request.ts'
import type { Step } from './schedule/step.ts'

/** Chooses 7 for every pick, in no time. */
function instantModel(): LoadedModel {
  const launched: Step[] = []
  const outcomesOf = ({ runs }: Step) =>
    runs.map(({ picks }) => ({ ids: Array(picks).fill(7), details: null, logits: null }))
  const runner = {
    sizes: { chunk: 16 },
    expected: undefined,
    launch: (step: Step) => launched.push(step),
    waitUntilNear: async () => undefined,
    collect: async (count: number) =>
      launched.splice(0, count).map((step) => ({ outcomes: outcomesOf(step), took: 1 })),
    drain: async () => undefined,
  }
  return {
    open: { runner, device: { close: () => undefined } },
    sizes: { groups: [{ window: 0, pages: 8, held: 8 }], slots: 2, picks: 4 },
    drafter: 'lookup',
  } as unknown as LoadedModel
}

const generate = (loop: Loop): Promise<void> =>
  new Promise((resolve) => {
    const request = new Request([1, 2, 3], { maxTokens: 1 })
    const onEnd = () => resolve()
    loop.submit({
      request,
      sampling: GREEDY,
      onIds: () => undefined,
      onLogits: () => undefined,
      onEnd,
    })
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
