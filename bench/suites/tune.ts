/**
 * Searches each kernel's declared tunings for the shapes of a model on this adapter. Every candidate is held against the
 * kernel's oracle, then all are timed in turns; a winner must beat the sound default in pairs, by more than noise.
 */
import type { Pipelines } from '../../kernels/gpu/pipeline.ts'
import { Plan } from '../../kernels/gpu/plan.ts'
import type { Device } from '../../kernels/index.ts'
import {
  FORMS,
  type Forms,
  type Kernel,
  mapForms,
  type Shape,
  type Tuning,
  tunings,
} from '../../kernels/kernel.ts'
import { type KnownCase, knownCase } from '../../kernels/known-case.ts'
import { compare, type Prepared, prepare } from '../../kernels/oracle.ts'
import {
  type Asked,
  formsOf,
  type KeptTuning,
  Tunings,
  tuningKey,
  versionOf,
} from '../../kernels/tuned.ts'
import { type Rotation, rotate } from '../rotation.ts'
import { spreadOf } from '../statistics.ts'
import { noExpectation, type Stopwatch } from '../stopwatch.ts'
import { dispatchesFor } from './kernels.ts'

export interface TuneBench {
  readonly device: Device
  readonly pipelines: Pipelines
  readonly stopwatch: Pick<Stopwatch, 'time'>
  /** Times each candidate is timed. */
  readonly rounds: number
  /** Milliseconds that a submit should hold at least. */
  readonly atLeast: number
  /** Bytes of a rotation. */
  readonly coldBytes: number
  readonly note: (message: string) => void
}

/** One line of the table. */
export interface Tuned {
  readonly key: string
  readonly candidates: number
  /** Candidates that computed wrong numbers or did not compile, and why: never kept. */
  readonly refused: readonly string[]
  readonly before: Forms<Tuning>
  readonly now: Forms<Tuning>
  /** Median time of a dispatch in the default over that of the winner. */
  readonly gain: Forms<number>
  readonly kept: KeptTuning | null
}

/** What a winner must gain in one of the forms, at the median. */
const WORTH = 1.05

/** Rows of the form for many: a chunk of a prompt. */
const ROWS = 64
/** Pages of attention: 512 tokens. */
const PAGES = 32

const sizesToTime = (shape: Shape): Shape =>
  'pages' in shape ? { pages: Math.min(PAGES, Number(shape.pages)) } : {}

interface Timed {
  readonly tuning: Tuning
  readonly ms: readonly number[]
  readonly median: number
}

/** Tunes one kernel in one shape. Throws GpuError; frees what it made. */
export async function tuneKernel(
  bench: TuneBench,
  { kernel, shape }: Pick<Asked, 'kernel' | 'shape'>,
): Promise<Tuned> {
  const { device } = bench
  const key = tuningKey(kernel, shape)
  const refused: string[] = []
  const shapes = formsOf(kernel, { ...shape, ...sizesToTime(shape) }, ROWS)
  const before = new Tunings(device.caps).of(kernel, shape)
  const times = new Map<Shape, readonly Timed[]>()
  for (const form of FORMS) {
    const of = shapes[form]
    if (!times.has(of)) times.set(of, await timeAll(bench, kernel, of, before[form], refused))
  }
  const timed = mapForms(shapes, (of) => times.get(of)!)
  const now = chooseForms(kernel, timed)
  const gain = mapForms(timed, (of, form) => gainOf(of, before[form], now[form]))
  const gains = Object.values(gain)
  const isWorth = Math.max(...gains) >= WORTH && Math.min(...gains) > 0.98
  const stable = formsOf(kernel, shape)
  const versions = mapForms(stable, (of, form) => versionOf(kernel, of, now[form], device.caps))
  const candidates = [...times.values()].reduce((sum, { length }) => sum + length, 0)
  const kept = isWorth ? { ...now, versions } : null
  return { key, candidates, refused, before, now: isWorth ? now : before, gain, kept }
}

/**
 * The tunings, one a form, whose times beside the fastest of each form are smallest together: alike in what decides the
 * order of sums, or the very same where the kernel has one form.
 */
export function chooseForms(
  { order = [] }: Pick<Kernel, 'order'>,
  timed: Forms<readonly Timed[]>,
): Forms<Tuning> {
  const alike = ({ tuning }: Timed): string =>
    JSON.stringify(order.length === 0 ? tuning : order.map((name) => tuning[name]))
  const fastest = (all: readonly Timed[]): Timed | null =>
    all.reduce<Timed | null>((best, one) => (best && best.median <= one.median ? best : one), null)
  let chosen: { tunings: Forms<Tuning>; cost: number } | null = null
  for (const key of new Set(timed.one.map(alike))) {
    const [one, several, many] = FORMS.map((form) =>
      fastest(timed[form].filter((each) => alike(each) === key)),
    )
    if (!one || !several || !many) continue
    const best = { one, several, many }
    const cost = FORMS.reduce(
      (sum, form) => sum + best[form].median / fastest(timed[form])!.median,
      0,
    )
    if (!chosen || cost < chosen.cost) {
      chosen = { tunings: mapForms(best, ({ tuning }) => tuning), cost }
    }
  }
  if (!chosen) throw new Error('No tunings of all forms sum in one order.')
  return chosen.tunings
}

/** The median of the ratios of pairs: the same round timed both. */
function gainOf(timed: readonly Timed[], before: Tuning, now: Tuning): number {
  const msOf = (wanted: Tuning): readonly number[] =>
    timed.find(({ tuning }) => sameTuning(tuning, wanted))?.ms ?? []
  const [old, young] = [msOf(before), msOf(now)]
  if (old.length === 0) return Number.POSITIVE_INFINITY
  return spreadOf(old.map((ms, round) => ms / young[round]!)).median
}

const sameTuning = (a: Tuning, b: Tuning): boolean =>
  Object.entries(a).every(([name, value]) => b[name] === value)

interface Candidate {
  readonly tuning: Tuning
  readonly prepared: Prepared
  readonly rotation: Rotation
  readonly ms: number[]
}

/** Every valid tuning that computes the right numbers, timed round by round. */
async function timeAll(
  bench: TuneBench,
  kernel: Kernel,
  shape: Shape,
  sound: Tuning,
  refused: string[],
): Promise<Timed[]> {
  const ready: Candidate[] = []
  try {
    const known = knownCase(kernel, shape)
    for (const tuning of tunings(kernel, shape, bench.device.caps)) {
      const candidate = await prepareCandidate(bench, kernel, shape, tuning, known, refused)
      if (candidate) ready.push(candidate)
    }
    const [first] = ready
    if (!first) throw new Error(`${kernel.name} has no tuning that computes the right numbers.`)
    const usual = ready.find(({ tuning }) => sameTuning(tuning, sound)) ?? first
    const count = await dispatchesFor(bench.stopwatch, bench.atLeast, (n) => usual.rotation.next(n))
    const expected = ready.map(() => noExpectation())
    for (let round = 0; round < bench.rounds; round++) {
      for (const [i, { rotation, ms }] of ready.entries()) {
        ms.push((await bench.stopwatch.time(rotation.next(count), expected[i]!)) / count)
      }
    }
    return ready.map(({ tuning, ms }) => ({ tuning, ms, median: spreadOf(ms).median }))
  } finally {
    for (const { prepared, rotation } of ready) {
      rotation.release()
      prepared.release()
    }
  }
}

async function prepareCandidate(
  { device, pipelines, coldBytes, note }: TuneBench,
  kernel: Kernel,
  shape: Shape,
  tuning: Tuning,
  known: KnownCase,
  refused: string[],
): Promise<Candidate | null> {
  note(`${kernel.name} ${JSON.stringify(tuning)}`)
  const prepared = await prepare(device, pipelines, kernel, shape, tuning, known)
  new Plan(device, [prepared.dispatch]).run(1)
  const { ok, where } = await compare(device, kernel, shape, prepared)
  if (!ok) {
    refused.push(`${JSON.stringify(tuning)}: ${where}`)
    prepared.release()
    return null
  }
  try {
    const rotation = await rotate(device, pipelines, prepared, coldBytes)
    return { tuning, prepared, rotation, ms: [] }
  } catch (error) {
    prepared.release()
    throw error
  }
}
