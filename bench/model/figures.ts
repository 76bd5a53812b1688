/** Samples of a model's scenarios → figures, and what they say together: over context, and beside the probes. */
import type { Figure } from '../figures.ts'
import { mapSpread, type Spread, spreadOf } from '../statistics.ts'
import type { Floors } from './floors.ts'
import type { Sample, Scenario } from './scenarios.ts'

/** Contexts whose speeds are held against each other, where both were timed. */
const [SHORT, LONG] = [32, 2048]

type Samples = ReadonlyMap<Scenario, readonly Sample[]>

export function figuresOf(samples: Samples): Figure[] {
  return [...samples].flatMap(([scenario, taken]) => ofScenario(scenario, taken))
}

function ofScenario(scenario: Scenario, samples: readonly Sample[]): Figure[] {
  const { prompt, sequences, tokens, timesPrefill } = scenario
  const first = samples.map((one) => one.firstToken)
  const rates = spreadOf(samples.map((one) => one.tokensPerSecond))
  const runs = samples.length
  if (sequences > 1) {
    return [{ name: `decode ${sequences} at once @${prompt}`, unit: 'tokens/s', runs, ...rates }]
  }
  const figures: Figure[] = []
  if (timesPrefill) {
    const prefill = spreadOf(first.map((ms) => (prompt / ms) * 1000))
    figures.push({ name: `prefill ${prompt}`, unit: 'tokens/s', runs, ...prefill })
    figures.push({ name: `first token after ${prompt}`, unit: 'ms', runs, ...spreadOf(first) })
  }
  if (tokens > 2) figures.push({ name: `decode @${prompt}`, unit: 'tokens/s', runs, ...rates })
  return figures
}

interface At {
  readonly context: number
  readonly rates: readonly number[]
}

const decoded = (samples: Samples): At[] =>
  [...samples]
    .filter(([{ sequences, tokens }]) => sequences === 1 && tokens > 2)
    .map(([{ prompt: context }, taken]) => ({
      context,
      rates: taken.map((one) => one.tokensPerSecond),
    }))

/** Decoding over context: a long one beside a short one, repeat by repeat; how far a token's cost is off a straight line. */
export function overContext(samples: Samples): Figure[] {
  const all = decoded(samples)
  const [first, last] = [all[0], all.at(-1)]
  if (!first || !last || first === last) return []
  const ratios = last.rates.map((rate, i) => rate / (first.rates[i] ?? Number.NaN))
  const name = `decode @${last.context} / @${first.context}`
  const isWanted = first.context === SHORT && last.context === LONG
  const wanted = isWanted ? { wanted: { is: '>=', bound: 0.6 } as const } : {}
  const ratio: Figure = { name, unit: 'x', runs: ratios.length, ...spreadOf(ratios), ...wanted }
  if (all.length < 3) return [ratio]
  const points = all.map(({ context, rates }) => [context, 1000 / spreadOf(rates).median] as const)
  const off = single(offLine(points) * 100)
  return [ratio, { name: 'token cost over context, off a line', unit: '%', ...off }]
}

/** Of a whole token: what the probes allow over what it took. */
export function besideProbes(samples: Samples, floors: Floors, weights: string): Figure[] {
  const wanted = /^b?f16$/.test(weights) ? { wanted: { is: '>=', bound: 50 } as const } : {}
  return decoded(samples).map(({ context, rates }, i) => ({
    name: `decode @${context} of min(bandwidth, FMA)`,
    unit: '%',
    runs: rates.length,
    ...mapSpread(spreadOf(rates), (rate) => floors(context) * rate * 0.1),
    ...(i === 0 ? wanted : {}),
  }))
}

/** Largest distance from the line of least squares, over the largest value. */
function offLine(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (pick: 0 | 1): number =>
    points.reduce((sum, point) => sum + point[pick], 0) / points.length
  const [x0, y0] = [mean(0), mean(1)]
  const of = (pick: (dx: number, dy: number) => number): number =>
    points.reduce((sum, [x, y]) => sum + pick(x - x0, y - y0), 0)
  const slope = of((dx, dy) => dx * dy) / of((dx) => dx * dx)
  const worst = Math.max(...points.map(([x, y]) => Math.abs(y - y0 - slope * (x - x0))))
  return worst / Math.max(...points.map(([, y]) => y))
}

const single = (value: number): Spread => ({ min: value, median: value, max: value })
