/** The HTTP suite over a stand-in for the engine: its figures, and that a wrong answer leaves none. */
import { expect, it } from 'vitest'
import type { GenerateOptions, Generation } from '../../engine/index.ts'
import { FakeEngine } from '../../server/fake-engine.ts'
import { type Asked, askAll } from './http/client.ts'
import { benchHttp } from './http.ts'

const options = { model: 'tiny', load: { adapter: 'x' }, tokens: 6, repeats: 4, note: () => {} }

/** Clients in this very thread, which others cannot be from TypeScript. */
function clients() {
  const calls: Asked[] = []
  let closed = 0
  return {
    calls,
    closed: () => closed,
    ask: (asked: Asked) => {
      calls.push(asked)
      return askAll(asked)
    },
    close: async () => void closed++,
  }
}

it('asks both ways in every repeat, names what is wanted, and closes everything', async () => {
  const engine = new FakeEngine()
  const here = clients()
  const { figures, ...told } = await benchHttp(options, async () => engine, here)
  expect(told).toMatchObject({ model: 'fake/tiny-1', adapter: 'Fake adapter' })
  expect(figures.map(({ name, runs, wanted }) => [name, runs, wanted?.bound])).toEqual([
    ['8 at once, engine alone', 4, undefined],
    ['8 at once, over HTTP', 4, undefined],
    ['over HTTP over engine alone', 4, 0.97],
  ])
  expect(figures.every(({ median }) => median > 0)).toBe(true)
  // Once to warm up.
  expect(here.calls).toHaveLength(5)
  expect(engine.tokens).toBe(2 * 5 * 8 * 6)
  expect([engine.closed, here.closed()]).toEqual([true, 1])
})

it.each([
  ['differ', { words: ['no', ' not', ' this'] }, 'answered differently'],
  ['break off', { failAfter: { tokens: 3, error: new Error('broken') } }, 'came to no end'],
])('gives no figure for answers that %s, and closes everything', async (_, other, message) => {
  const others = new FakeEngine(other)
  class Unequal extends FakeEngine {
    override generate(prompt: readonly number[], asked: GenerateOptions): Generation {
      // Only a server has a way to end it.
      return asked.signal ? others.generate(prompt, asked) : super.generate(prompt, asked)
    }
  }
  const engine = new Unequal()
  const here = clients()
  await expect(benchHttp(options, async () => engine, here)).rejects.toThrow(message)
  expect([engine.closed, here.closed()]).toEqual([true, 1])
})
