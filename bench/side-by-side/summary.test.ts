/** Turns become speeds of both, ratios turn by turn, and what is wanted of them; ids are judged. */
import { expect, it } from 'vitest'
import { outcomeLines } from '../report/peers-lines.ts'
import { judge, marginOf, partingOf } from './agreement.ts'
import { decodeRate, prefillRate } from './rates.ts'
import type { Outcome } from './rounds.ts'
import { AIMS, figuresOf } from './summary.ts'

const OUTCOME: Outcome = {
  name: 'peer',
  opened: { version: '1.2', device: 'llvmpipe', weights: 'Q4_1' },
  start: { ours: 4, theirs: 100 },
  turns: [
    { ours: { 'decode @32': 20, 'prefill 32': 90 }, theirs: { 'decode @32': 2, 'prefill 32': 10 } },
    { ours: { 'decode @32': 30 }, theirs: { 'decode @32': 5 } },
    { ours: { 'decode 8 at once': 30 }, theirs: { 'decode 8 at once': Number.NaN } },
  ],
  ids: { ours: [1, 2, 3], theirs: [1, 2, 3] },
  parting: null,
  errors: [],
}

it('gives both speeds and the ratio of each turn, beside what is wanted', () => {
  const figures = figuresOf(OUTCOME, AIMS.gpu)
  expect(figures.map(({ name, median, wanted }) => [name, median, wanted?.bound])).toEqual([
    ['peer: decode @32', 3.5, undefined],
    ['ours beside it: decode @32, peer', 25, undefined],
    ['ours / peer: decode @32', 8, 5],
    ['peer: prefill 32', 10, undefined],
    ['ours beside it: prefill 32, peer', 90, undefined],
    ['ours / peer: prefill 32', 9, 5],
    ['peer: start to first ids', 100, undefined],
    ['ours beside it: start to first ids, peer', 4, undefined],
    ['ours / peer: start to first ids', 25, 5],
  ])
  expect(figures[2]).toEqual({
    name: 'ours / peer: decode @32',
    unit: 'x',
    runs: 2,
    min: 6,
    median: 8,
    max: 10,
    wanted: { is: '>=', bound: 5 },
  })
})

it('wants of CPU engines a share alone and a tie in company, and nothing else', () => {
  const both = { 'decode @32': 1, 'decode 8 at once': 1, 'prefill 32': 1 }
  const figures = figuresOf({ ...OUTCOME, turns: [{ ours: both, theirs: both }] }, AIMS.cpu)
  const bounds = figures.flatMap(({ name, wanted }) => (wanted ? [[name, wanted.bound]] : []))
  expect(bounds).toEqual([
    ['ours / peer: decode @32', 0.7],
    ['ours / peer: decode 8 at once', 1],
  ])
})

it('wants nothing of a start with compiled shaders', () => {
  const figures = figuresOf(OUTCOME, { ...AIMS.gpu, start: null })
  expect(figures.at(-1)).toMatchObject({ name: 'ours / peer: start to first ids', median: 25 })
  expect(figures.at(-1)).not.toHaveProperty('wanted')
})

it('has no figure of a peer that did not run', () => {
  expect(figuresOf({ ...OUTCOME, turns: [], start: null }, AIMS.gpu)).toEqual([])
})

it('counts decoding from when every sequence has its first id', () => {
  expect(decodeRate([{ ids: [1, 2, 3], times: [100, 150, 200] }])).toBe(20)
  const late = { ids: [1, 2], times: [150, 350] }
  expect(decodeRate([{ ids: [1, 2, 3], times: [100, 150, 250] }, late])).toBe(10)
  expect(decodeRate([{ ids: [1], times: [100] }])).toBeNaN()
  expect(prefillRate([1, 2, 3, 4], [{ ids: [1], times: [8] }])).toBe(500)
})

it('finds where ids part, and how near a tie that is', () => {
  expect(partingOf([1, 2, 3], [1, 2])).toBeNull()
  expect(partingOf([1, 2, 3], [1, 4, 3])).toEqual({ at: 1, ours: 2, theirs: 4 })
  const parting = { at: 1, ours: 0, theirs: 2 }
  expect(marginOf(parting, new Float32Array([3, 0, 1]))).toBe(2)
})

it('takes the figures of who writes other ids from the same weights, near-ties apart', () => {
  const parting = { at: 1, ours: 2, theirs: 4 }
  const other = { ...OUTCOME, parting }
  expect(judge(other, true, 0.3).turns).toEqual(OUTCOME.turns)
  expect(judge(other, false, 3).turns).toEqual(OUTCOME.turns)
  const wrong = judge(other, true, 3)
  expect(figuresOf(wrong, AIMS.gpu)).toEqual([])
  expect(outcomeLines(wrong)).toEqual([
    'peer 1.2: llvmpipe, Q4_1',
    '  the same weights: 1 of 3 ids are ours, then 4 for 2: no near-tie (3.00 logits)',
    '  NO FIGURE: its ids are not those of these weights, and no near-tie explains it',
  ])
})

it('tells of a peer that did not run, in one line', () => {
  const none = { ...OUTCOME, opened: null, ids: null, errors: ['no\n  device'] }
  expect(outcomeLines(judge(none, true, Number.NaN))).toEqual([
    'peer: DID NOT RUN',
    '  NO FIGURE: no device',
  ])
})
