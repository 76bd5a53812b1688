/**
 * Two versions of the kernels on one device, in turns: every kernel × shape that both have is checked by its own oracle in
 * both, then timed before, now, now, before, and so on, until the pairs agree or have had their chance.
 */
import type { Dispatch } from '../../kernels/gpu/plan.ts'
import { Plan } from '../../kernels/gpu/plan.ts'
import type { Device, Pipelines } from '../../kernels/index.ts'
import type { Kernel, Shape } from '../../kernels/kernel.ts'
import type { Prepared } from '../../kernels/oracle.ts'
import { streamBytes } from '../probes.ts'
import { rotate } from '../rotation.ts'
import { type Spread, spreadOf } from '../statistics.ts'
import { noExpectation, type Stopwatch } from '../stopwatch.ts'
import { dispatchesFor } from '../suites/kernels.ts'
import { type Judgement, judge, type Pair } from './judge.ts'
import type { KernelVersion } from './version.ts'

export interface GateBench {
  readonly device: Device
  readonly pipelines: Pipelines
  readonly stopwatch: Pick<Stopwatch, 'time'>
  /** Pairs at first; twice as many as long as noise leaves it open, 8 times at most. */
  readonly pairs: number
  /** Milliseconds that a submit should hold at least. */
  readonly atLeast: number
  /** Bytes of the rotation of each version. Default: what no cache holds. */
  readonly coldBytes?: number
}

export interface GateRow extends Judgement {
  readonly name: string
  /** Milliseconds a dispatch. */
  readonly before: Spread
  readonly now: Spread
  readonly pairs: number
}

export interface Gate {
  readonly rows: readonly GateRow[]
  /** Kernels of this version that compute the wrong numbers. */
  readonly wrong: readonly string[]
  /** What could not be compared, and why. */
  readonly notes: readonly string[]
}

/** As many pairs as at first, at most. */
const MOST_ROUNDS = 8

type Next = (count: number) => readonly Dispatch[]

/** Throws GpuError. */
export async function compareVersions(
  bench: GateBench,
  before: KernelVersion,
  now: KernelVersion,
  only: string | undefined,
  note: (message: string) => void,
): Promise<Gate> {
  const gate = { rows: [] as GateRow[], wrong: [] as string[], notes: [] as string[] }
  for (const [key, kernel] of Object.entries(now.kernels)) {
    for (const [title, shape] of Object.entries(kernel.bench)) {
      const name = `${kernel.name}: ${title}`
      if (only && !name.includes(only)) continue
      note(name)
      const old = before.kernels[key]
      const oldShape = old?.bench[title]
      const sides = [{ version: now, kernel, shape }]
      if (old && oldShape) sides.push({ version: before, kernel: old, shape: oldShape })
      else gate.notes.push(`${name}: ${before.title} has none`)
      const outcome = await withSides(bench, sides, (nexts) => timeInTurns(bench, nexts))
      if (outcome.wrong)
        (outcome.wrong.side === 0 ? gate.wrong : gate.notes).push(`${name}: ${outcome.wrong.where}`)
      else if (outcome.result) gate.rows.push({ name, ...outcome.result })
    }
  }
  return gate
}

interface Side {
  readonly version: KernelVersion
  readonly kernel: Kernel
  readonly shape: Shape
}

interface SideOutcome<T> {
  readonly wrong?: { readonly side: number; readonly where: string }
  readonly result?: T
}

/** Prepares and checks each side, and hands all to `use` where there are two and both are right. */
async function withSides<T>(
  bench: GateBench,
  sides: readonly Side[],
  use: (nexts: readonly [now: Next, before: Next]) => Promise<T>,
): Promise<SideOutcome<T>> {
  const { device, pipelines } = bench
  const release: (() => void)[] = []
  const nexts: Next[] = []
  try {
    for (const [side, { version, kernel, shape }] of sides.entries()) {
      const tuning = await version.engineTuning(kernel, shape, device)
      const prepared = await version.prepare(device, pipelines, kernel, shape, tuning)
      release.push(() => prepared.release())
      const bytes = bench.coldBytes ?? streamBytes(device)
      const rotation = await rotate(device, pipelines, prepared, bytes)
      release.push(() => rotation.release())
      const last = rotation.copies.at(-1) as Prepared
      new Plan(device, [last.dispatch]).run(1)
      const { ok, where } = await version.compare(device, kernel, shape, last)
      if (!ok)
        return { wrong: { side, where: `${version.title} computes the wrong numbers: ${where}` } }
      nexts.push((count) => rotation.next(count))
    }
    const [now, before] = nexts
    return now && before ? { result: await use([now, before]) } : {}
  } finally {
    for (const free of release.reverse()) free()
  }
}

async function timeInTurns(
  { stopwatch, pairs: wanted, atLeast }: GateBench,
  [now, before]: readonly [now: Next, before: Next],
): Promise<Omit<GateRow, 'name'>> {
  // As many dispatches of both, and one expectation: what a submit and its end cost must not count for one alone.
  const counts = [
    await dispatchesFor(stopwatch, atLeast, before),
    await dispatchesFor(stopwatch, atLeast, now),
  ]
  const count = Math.max(...counts)
  const expected = noExpectation()
  const timer = (next: Next) => async (): Promise<number> =>
    (await stopwatch.time(next(count), expected)) / count
  const [timeNow, timeBefore] = [timer(now), timer(before)]
  const pairs: Pair[] = []
  let judgement: Judgement
  do {
    for (let i = Math.max(wanted, pairs.length); i > 0; i--) {
      pairs.push(await takePair(timeBefore, timeNow, i % 2 === 1))
    }
    judgement = judge(pairs)
  } while (judgement.verdict === 'open' && pairs.length < MOST_ROUNDS * wanted)
  return {
    ...judgement,
    before: spreadOf(pairs.map((pair) => pair.before)),
    now: spreadOf(pairs.map((pair) => pair.now)),
    pairs: pairs.length,
  }
}

/** Whoever comes first takes turns, too. */
async function takePair(
  before: () => Promise<number>,
  now: () => Promise<number>,
  nowFirst: boolean,
): Promise<Pair> {
  if (!nowFirst) {
    const first = await before()
    return { before: first, now: await now() }
  }
  const first = await now()
  return { before: await before(), now: first }
}
