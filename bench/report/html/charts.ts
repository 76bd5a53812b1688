/** What of the history is drawn: speeds over time, kernels under their roofs, a token's cost over context. */
import type { Figure } from '../../figures.ts'
import type { Run } from '../../history.ts'
import { titleOf } from '../compare-runs.ts'
import { brief } from '../table.ts'
import type { Chart, Point, Series } from './chart.ts'

/** Runs of one adapter and driver, by both. */
export function byAdapter(runs: readonly Run[]): Map<string, Run[]> {
  const groups = new Map<string, Run[]>()
  for (const run of runs) {
    const key = `${run.adapter} (${run.driver})`
    groups.set(key, [...(groups.get(key) ?? []), run])
  }
  return groups
}

const modelOf = ({ what }: Run): string | undefined =>
  what.find((one) => one.startsWith('model '))?.slice('model '.length)

/** For each model that was timed: decoding and prefill, tokens/s run by run. */
export function speedCharts(runs: readonly Run[]): Chart[] {
  const models = new Set(runs.flatMap((run) => modelOf(run) ?? []))
  return [...models].flatMap((model) => {
    const own = runs.filter((run) => modelOf(run) === model)
    return (['decode', 'prefill'] as const).flatMap((kind) => speedChart(model, kind, own))
  })
}

function speedChart(model: string, kind: string, runs: readonly Run[]): Chart[] {
  const isOf = ({ name, unit }: Figure): boolean => unit === 'tokens/s' && name.startsWith(kind)
  const names = [
    ...new Set(runs.flatMap(({ figures }) => figures.filter(isOf).map(({ name }) => name))),
  ]
  if (names.length === 0) return []
  const series = names.map(
    (name): Series => ({
      name,
      as: 'line',
      points: runs.flatMap((run, i) => {
        const figure = run.figures.find((one) => one.name === name && isOf(one))
        return figure ? [pointOf(i + 1, figure, `${titleOf(run)}: ${name}`)] : []
      }),
    }),
  )
  const step = Math.ceil(runs.length / 8)
  const ticks = runs.flatMap((run, i) =>
    i % step === 0 ? [{ at: i + 1, text: run.date.slice(5, 10) }] : [],
  )
  return [
    {
      title: `${model}: ${kind} over time`,
      x: { label: 'runs, oldest first', ticks },
      y: { label: 'tokens/s' },
      series,
    },
  ]
}

const pointOf = (x: number, { min, median, max, unit }: Figure, title: string): Point => ({
  x,
  y: median,
  low: min,
  high: max,
  title: `${title} ${brief(median)} ${unit} (${brief(min)}–${brief(max)})`,
})

/** Of the last run that timed kernels. */
export function rooflineChart(runs: readonly Run[]): Chart | null {
  const run = runs.findLast(({ roofline }) => (roofline?.kernels.length ?? 0) > 0)
  if (!run?.roofline) return null
  const { probes, kernels } = run.roofline
  const placed = kernels
    .filter(({ bandwidth, arithmetic }) => bandwidth > 0 && arithmetic > 0)
    .map((one) => ({ ...one, x: one.arithmetic / one.bandwidth, y: one.arithmetic }))
  const xs = placed.map(({ x }) => x)
  const ridge = probes.fma / probes.read
  const ends = [Math.min(...xs, ridge) / 2, ridge, Math.max(...xs, ridge) * 2]
  const roof = (x: number): number => Math.min(probes.fma, probes.read * x)
  const names = [...new Set(placed.map(({ name }) => name.split(':')[0] ?? name))]
  return {
    title: `Kernels under their roofs, ${titleOf(run)}: ${brief(probes.read)} GB/s, ${brief(probes.fma)} GFLOP/s`,
    x: { label: 'operations a byte', log: true },
    y: { label: 'GFLOP/s', log: true },
    series: [
      ...names.map(
        (kernel): Series => ({
          name: kernel,
          as: 'dots',
          points: placed
            .filter(({ name }) => name.startsWith(`${kernel}:`) || name === kernel)
            .map(({ name, x, y }) => ({
              x,
              y,
              title: `${name}: ${brief(y)} GFLOP/s, ${((y / roof(x)) * 100).toFixed(1)} % of its roof`,
            })),
        }),
      ),
      { name: 'roof', as: 'roof', points: ends.map((x) => ({ x, y: roof(x) })) },
    ],
  }
}

/** Of the last run of each model that decoded after three contexts or more: milliseconds a token. */
export function contextCharts(runs: readonly Run[]): Chart[] {
  const models = new Set(runs.flatMap((run) => modelOf(run) ?? []))
  return [...models].flatMap((model) => {
    const own = runs.filter((run) => modelOf(run) === model)
    const run = own.findLast((one) => costs(one).length >= 3)
    if (!run) return []
    const points = costs(run)
    return [
      {
        title: `${model}: what a token costs over context, ${titleOf(run)}`,
        x: { label: 'tokens before it' },
        y: { label: 'ms a token' },
        series: [
          { name: 'decode', as: 'dots' as const, points },
          { name: 'straight line', as: 'roof' as const, points: lineThrough(points) },
        ],
      },
    ]
  })
}

function costs({ figures }: Run): Point[] {
  return figures.flatMap(({ name, unit, min, median, max }) => {
    const context = /^decode @(\d+)$/.exec(name)?.[1]
    if (context === undefined || unit !== 'tokens/s') return []
    const title = `after ${context}: ${brief(1000 / median)} ms`
    return [{ x: Number(context), y: 1000 / median, low: 1000 / max, high: 1000 / min, title }]
  })
}

/** Least squares, from the first point to the last. */
function lineThrough(points: readonly Point[]): Point[] {
  const mean = (pick: (point: Point) => number): number =>
    points.reduce((sum, point) => sum + pick(point), 0) / points.length
  const [x0, y0] = [mean(({ x }) => x), mean(({ y }) => y)]
  const slope = mean(({ x, y }) => (x - x0) * (y - y0)) / mean(({ x }) => (x - x0) ** 2)
  const xs = points.map(({ x }) => x)
  return [Math.min(...xs), Math.max(...xs)].map((x) => ({ x, y: y0 + slope * (x - x0) }))
}
