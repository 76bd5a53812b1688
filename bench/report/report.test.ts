/** The tables: alignment, brief numbers, runs side by side with their change. */
import { expect, it } from 'vitest'
import type { Run } from '../history.ts'
import { figureTable, kernelTable } from './figures-table.ts'
import { runsTable } from './runs-table.ts'
import { brief, table } from './table.ts'
import { missedLine, wantedTable } from './wanted-table.ts'

it('aligns names to the left and figures to the right', () => {
  expect(table(['name', 'ms'], [['a', '1.25'], ['longer']])).toBe(
    ['name      ms', '------  ----', 'a       1.25', 'longer'].join('\n'),
  )
})

it('is brief', () => {
  expect([0, 0.012345, 1.2345, 12.345, 123.45, 4000.4].map(brief)).toEqual([
    '0',
    '0.0123',
    '1.23',
    '12.3',
    '123',
    '4000',
  ])
})

it('prints figures and kernels', () => {
  const spread = { min: 1, median: 2, max: 3 }
  expect(figureTable([{ name: 'load', unit: 's', ...spread }])).toMatch(
    /load +1\.00 +2\.00 +3\.00 +s$/,
  )
  const row = {
    name: 'linear: q4',
    ms: spread,
    bandwidth: 4.5,
    arithmetic: 30,
    ofRoofline: 61.26,
    atBest: 70.04,
    withDispatch: 80.5,
    reachable: 90.25,
    copies: 8,
  }
  expect(kernelTable([row])).toMatch(
    /linear: q4 +1\.00 +2\.00 +3\.00 +4\.50 +30\.0 +61\.3 +70\.0 +80\.5 +90\.3$/,
  )
})

it('sets figures beside what is wanted, judged at the median', () => {
  const spread = { min: 1, median: 2, max: 3, unit: 'x', runs: 3 }
  const figures = [
    { name: 'plain', ...spread },
    { name: 'kept', ...spread, wanted: { is: '>=', bound: 2 } },
    { name: 'kept too', ...spread, wanted: { is: '<=', bound: 2 } },
    { name: 'missed', ...spread, wanted: { is: '<', bound: 2 } },
  ] as const
  const text = wantedTable(figures)
  expect(text).toMatch(/^plain +1\.00 +2\.00 +3\.00 +x +3$/m)
  expect(text).toMatch(/^kept +>= 2 +1\.00 +2\.00 +3\.00 +x +3 +yes$/m)
  expect(text).toMatch(/^kept too +<= 2 .* yes$/m)
  expect(text).toMatch(/^missed +< 2 .* NO$/m)
  expect(missedLine(figures)).toBe('MISSED here: 1 of 3 bounds, each at its median: missed.')
  expect(missedLine(figures.slice(0, 3))).toBe('All 2 bounds hold, each at its median.')
})

const run = (median: number, more: Partial<Run> = {}): Run => ({
  date: '2026-11-23T10:00:00.000Z',
  commit: 'abcdef0123',
  changed: false,
  adapter: 'llvmpipe',
  driver: 'lavapipe',
  node: '20.20.0',
  what: ['model'],
  figures: [{ name: 'decode @32', unit: 'tokens/s', min: 1, median, max: 100 }],
  ...more,
})

it('sets the last runs of one adapter side by side', () => {
  const runs = [
    run(99),
    run(20),
    run(50, { driver: 'swiftshader', adapter: 'SwiftShader' }),
    run(25, { commit: null, changed: true }),
  ]
  const text = runsTable(runs, 2)
  expect(text).toContain('llvmpipe (lavapipe), 2 of 4 runs')
  expect(text).toMatch(/abcdef0 11-23 10:00 +no commit\+ 11-23 10:00 +change/)
  expect(text).toMatch(/decode @32, tokens\/s +20\.0 +25\.0 +\+25\.0 %/)
  expect(text).not.toContain('99')
})

it('leaves out a change where a figure is missing, and says that nothing is recorded', () => {
  const text = runsTable([run(20), run(1, { figures: [] })], 4)
  expect(text).toMatch(/decode @32, tokens\/s +20\.0 +–$/m)
  expect(runsTable([], 4)).toContain('No run is recorded yet')
})
