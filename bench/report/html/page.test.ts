/** The page over made-up runs: what it draws, what it compares, and that it stands alone. */
import { expect, it } from 'vitest'
import type { Figure } from '../../figures.ts'
import type { Run } from '../../history.ts'
import { chooseRun, compareRuns, comparisonTable, runsToCompare } from '../compare-runs.ts'
import { page } from './page.ts'

const figure = (name: string, unit: string, median: number, spread = 0.1): Figure => ({
  name,
  unit,
  runs: 3,
  min: median * (1 - spread),
  median,
  max: median * (1 + spread),
})

const run = (day: number, speed: number, more: Partial<Run> = {}): Run => ({
  date: `2026-11-${day}T10:00:00.000Z`,
  commit: `${day}abcdef0123`,
  changed: false,
  adapter: 'llvmpipe <1>',
  driver: 'lavapipe',
  node: '20.20.0',
  what: ['kernels', 'model tiny & <b>'],
  figures: [
    figure('decode @32', 'tokens/s', speed),
    figure('decode @512', 'tokens/s', speed * 0.8),
    figure('decode @2048', 'tokens/s', speed * 0.6),
    figure('prefill 16', 'tokens/s', speed * 2),
    figure('load', 's', 1 / speed),
    figure('linear: q4', 'ms', 1),
  ],
  ...more,
})

const roofline = {
  probes: { read: 8, fma: 60 },
  kernels: [
    { name: 'linear: q4', bandwidth: 4, arithmetic: 12 },
    { name: 'rms-norm: decode', bandwidth: 0.07, arithmetic: 0.023 },
    { name: 'copy: nothing computed', bandwidth: 1, arithmetic: 0 },
  ],
}
const runs = [run(10, 20), run(11, 30, { roofline }), run(12, 20)]

it('draws speeds over time, the cost over context and the roofs, and needs nothing from outside', () => {
  const html = page(runs, runsToCompare(runs, []))
  const titles = [...html.matchAll(/<figcaption>([^<]*)/g)].map(([, title]) => title)
  expect(titles).toEqual([
    'tiny &#38; &#60;b&#62;: decode over time',
    'tiny &#38; &#60;b&#62;: prefill over time',
    'tiny &#38; &#60;b&#62;: what a token costs over context, 12abcde 2026-11-12 10:00',
    'Kernels under their roofs, 11abcde 2026-11-11 10:00: 8.00 GB/s, 60.0 GFLOP/s',
  ])
  // Three speeds of three runs, one prefill, three contexts, two kernels.
  expect(html.split('<circle').length - 1).toBe(9 + 3 + 3 + 2)
  expect(html).toContain('linear: q4: 12.0 GFLOP/s, 50.0 % of its roof')
  expect(html).toContain('prefers-color-scheme:dark')
  expect(html).not.toMatch(/<script|https?:|<link|@import|url\(|NaN|Infinity|undefined/)
})

it('draws older runs, which have no roofline, and a single one', () => {
  const [old] = runs as [Run]
  expect(page([old], runsToCompare([old], []))).toContain('over time')
  const bare = { ...old, figures: [], what: ['serving'] }
  expect(page([bare], null)).toContain('1 runs')
})

it('compares two runs: worse and better only beyond the spreads, by what is better for the unit', () => {
  const found = compareRuns(run(10, 20), run(11, 40))
  expect(found.map(({ name, ratio, verdict }) => [name, ratio, verdict])).toEqual([
    ['decode @32', 2, 'better'],
    ['decode @512', 2, 'better'],
    ['decode @2048', 2, 'better'],
    ['prefill 16', 2, 'better'],
    ['load', 0.5, 'better'],
    ['linear: q4', 1, 'same'],
  ])
  const back = compareRuns(run(10, 40), run(11, 20)).map(({ verdict }) => verdict)
  expect(back).toEqual(['worse', 'worse', 'worse', 'worse', 'worse', 'same'])
  // 10 % apart, spreads of 10 % each: nothing is said.
  expect(compareRuns(run(10, 20), run(11, 22)).every(({ verdict }) => verdict === 'same')).toBe(
    true,
  )
  expect(comparisonTable(run(10, 40), run(11, 20))).toMatch(
    /decode @32, tokens\/s .* 0\.500 .* 20 % .* WORSE/,
  )
})

it('a figure of one value is never beyond noise', () => {
  const one = (value: number) => run(10, 1, { figures: [figure('share', '%', value, 0)] })
  expect(compareRuns(one(10), one(20))).toMatchObject([{ verdict: 'same', noise: 0 }])
})

it('runs are named by place, commit or date', () => {
  const dates = (...names: string[]) => names.map((name) => chooseRun(runs, name).date.slice(8, 10))
  expect(dates('1', '-1', '-2', '11abc', '2026-11-10')).toEqual(['10', '12', '11', '11', '10'])
  for (const name of ['', '9', 'fff', '2027']) {
    expect(() => chooseRun(runs, name)).toThrow(/No run is called/)
  }
})

it('without names the last run is compared with the one before it on its adapter', () => {
  const other = run(13, 5, { adapter: 'SwiftShader', driver: 'swiftshader' })
  expect(runsToCompare([...runs, other], [])).toBeNull()
  const [, before, last] = runs
  expect(runsToCompare([before, other, last] as Run[], [])).toEqual([before, last])
  expect(runsToCompare(runs, ['1'])).toEqual([runs[0], last])
})
