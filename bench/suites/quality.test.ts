/** The quality suite over engines that are made up: what it compares, and what it wants of which type. */
import { expect, test } from 'vitest'
import { FakeCliEngine } from '../../test/cli-terminal.ts'
import { qualityTable } from '../report/quality-table.ts'
import { measureQuality, type QualityEngine, SHORT_QUALITY } from './quality.ts'

/** Foretells every token as the last id of three, by a margin. */
class Foretelling extends FakeCliEngine {
  readonly #margin: number

  constructor(margin: number) {
    super()
    this.#margin = margin
  }

  override tokenize(): number[] {
    return Array(700).fill(2) as number[]
  }

  override async logits(ids: readonly number[]) {
    const row = Float32Array.of(0, 0, this.#margin)
    return { last: row, all: ids.map(() => row), greedy: [] }
  }
}

test('every type against the floats of the same text, and a cost above the bound is told apart', async () => {
  const asked: unknown[] = []
  const margins = { none: 2, int8: 1.999, int4: 1.9 }
  const report = await measureQuality(
    {
      ...SHORT_QUALITY,
      tokens: 600,
      model: undefined,
      bf16: './a',
      load: { adapter: 'x' },
      text: '',
      note: () => {},
    },
    async (model, options) => {
      asked.push([model, options.quantize, options.adapter])
      const type = (options.quantize ?? 'none') as keyof typeof margins
      return new Foretelling(margins[type]) as unknown as QualityEngine
    },
  )
  expect(asked).toEqual([
    ['./a', undefined, 'x'],
    ['./a', 'int8', 'x'],
    ['./a', 'int4', 'x'],
  ])
  expect(report.tokens).toBe(599)
  const perplexity = (margin: number): number => (2 + Math.exp(margin)) / Math.exp(margin)
  const [floats, int8, int4] = report.rows
  expect(floats).toMatchObject({ type: null, cost: 0, most: null })
  expect(floats?.perplexity).toBeCloseTo(perplexity(2), 5)
  expect(int8?.cost).toBeCloseTo(perplexity(1.999) / perplexity(2) - 1, 5)
  expect(int8).toMatchObject({ type: 'int8', most: 0.005 })
  expect(int4).toMatchObject({ type: 'int4', most: 0.06 })
  expect(qualityTable(report)).toContain('at most +6.00 %')
})
