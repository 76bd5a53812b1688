/**
 * Every declared kernel × its bench shapes: checked against its oracle, then timed, then held against the probes. Weights and
 * KV caches come from a rotation of copies larger than any cache; many dispatches go in one submit; a time includes what a
 * dispatch itself costs on this adapter.
 */

import type { Pipelines } from '../../kernels/gpu/pipeline.ts'
import { type Dispatch, Plan } from '../../kernels/gpu/plan.ts'
import { type Device, formsOf, readTunings, Tunings } from '../../kernels/index.ts'
import { type Kernel, type Shape, type Tuning, tunings } from '../../kernels/kernel.ts'
import type { KnownCase } from '../../kernels/known-case.ts'
import { compare, type Prepared, prepare } from '../../kernels/oracle.ts'
import { BenchError, checkBelowProbe } from '../failure.ts'
import { type Probes, streamBytes } from '../probes.ts'
import { rotate } from '../rotation.ts'
import { mapSpread, type Spread, spreadOf } from '../statistics.ts'
import { noExpectation, type Stopwatch } from '../stopwatch.ts'

export interface KernelBench {
  readonly device: Device
  readonly pipelines: Pipelines
  readonly stopwatch: Stopwatch
  readonly probes: Probes
  /** Timed submits. */
  readonly repeats: number
  /** Milliseconds that a submit should hold at least. */
  readonly atLeast: number
  /** Bytes of the rotation. Default: what no cache holds. */
  readonly coldBytes?: number
}

/** One line of the table. */
export interface KernelRow {
  /** Kernel, shape and, where it is not the default, tuning. */
  readonly name: string
  /** Milliseconds a dispatch. */
  readonly ms: Spread
  /** Median GB/s and GFLOP/s. */
  readonly bandwidth: number
  readonly arithmetic: number
  /** Of what the probes allow, right after each repeat: the time of the roofline over that of the repeat, in percent, the median. */
  readonly ofRoofline: number
  /** The same of the fastest repeat and the fastest probes. */
  readonly atBest: number
  /** `ofRoofline` with the cost of an empty dispatch in both: what a kernel can be blamed for. */
  readonly withDispatch: number
  /** What `ofRoofline` would be of a kernel that takes the roofline's time and an empty dispatch's, in percent. */
  readonly reachable: number
  readonly copies: number
}

/** Dispatches in a submit. */
const MOST_DISPATCHES = 4096

/** The tuning the engine takes. */
export function engineTuning(kernel: Kernel, shape: Shape, device: Device): Tuning {
  const kept = readTunings(device, () => undefined)
  const forms = new Tunings(device.caps, kept).of(kernel, shape)
  const valid = tunings(kernel, shape, device.caps)
  const fits = (tuning: Tuning): boolean =>
    valid.some((other) => Object.entries(tuning).every(([name, value]) => other[name] === value))
  const { one, several } = formsOf(kernel, shape)
  const rows = Number(shape.batch)
  // Many rows are not always many rows of a sequence: attention's tiles may have one each.
  const form = rows === one.batch ? 'one' : rows <= Number(several.batch) ? 'several' : 'many'
  return fits(forms[form]) ? forms[form] : forms.one
}

/** What to time: the engine's tuning, or each valid one. */
export function tuningsToTime(
  kernel: Kernel,
  shape: Shape,
  device: Device,
  all: boolean,
): Tuning[] {
  return all ? tunings(kernel, shape, device.caps) : [engineTuning(kernel, shape, device)]
}

/**
 * Bytes a dispatch moves: a matrix counts where every weight takes part, and not where rows of it are looked up; of chosen
 * experts, what is read of them.
 */
export function bytesMoved(kernel: Kernel, shape: Shape, weightBytes: number): number {
  const { bytes, flops } = kernel.cost(shape)
  const matrix = kernel.weight?.(shape)
  const read = kernel.weightRows?.(shape)
  if (matrix && read !== undefined) return bytes + (weightBytes * read) / matrix.rows
  const readsAll = matrix !== undefined && flops >= 2 * matrix.rows * matrix.columns
  return bytes + (readsAll ? weightBytes : 0)
}

/** Checks and times one kernel. Throws BenchError when its output is wrong or it is faster than the adapter, GpuError. */
export async function timeKernel(
  bench: KernelBench,
  name: string,
  kernel: Kernel,
  shape: Shape,
  tuning: Tuning,
  known?: KnownCase,
): Promise<KernelRow> {
  const { device, pipelines, probes } = bench
  const prepared = await prepare(device, pipelines, kernel, shape, tuning, known)
  const rotation = await rotate(
    device,
    pipelines,
    prepared,
    bench.coldBytes ?? streamBytes(device),
  ).catch((error: unknown) => {
    prepared.release()
    throw error
  })
  try {
    // The last copy stands for all: it has the pipeline of the first and data that went through a copy.
    await check(device, name, kernel, shape, rotation.copies.at(-1) as Prepared)
    const bytes = bytesMoved(kernel, shape, prepared.weightBytes)
    const { flops } = kernel.cost(shape)
    const measure = (): Promise<Times> =>
      time(
        bench,
        (count) => rotation.next(count),
        () => probes.floorNow(bytes, flops),
      )
    const guard = (ms: Spread): void => {
      checkBelowProbe(name, bytes / ms.min / 1e6, probes.read, 'GB/s')
      checkBelowProbe(name, flops / ms.min / 1e6, probes.fma, 'GFLOP/s')
    }
    let times = await measure()
    try {
      guard(times.ms)
    } catch (error) {
      if (!(error instanceof BenchError)) throw error
      // A busy machine may have slowed the probe: both once more before it counts as an error.
      await probes.refresh()
      times = await measure()
      guard(times.ms)
    }
    const work = { bytes, flops, workgroups: prepared.dispatch.workgroups(1, 1) }
    return { name, copies: rotation.copies.length, ...figuresOf(times, work, probes) }
  } finally {
    rotation.release()
    prepared.release()
  }
}

/** What a dispatch moves and computes. */
interface Work {
  readonly bytes: number
  readonly flops: number
  readonly workgroups: readonly [number, number, number]
}

function figuresOf(
  { ms, share }: Times,
  { bytes, flops, workgroups }: Work,
  probes: Probes,
): Omit<KernelRow, 'name' | 'copies'> {
  const floor = probes.floor(bytes, flops)
  const dispatch = probes.cost(workgroups)
  return {
    ms,
    bandwidth: mapSpread(ms, (one) => bytes / one / 1e6).median,
    arithmetic: mapSpread(ms, (one) => flops / one / 1e6).median,
    ofRoofline: share(0),
    atBest: (floor / ms.min) * 100,
    withDispatch: share(dispatch),
    reachable: (floor / (floor + dispatch)) * 100,
  }
}

async function check(
  device: Device,
  name: string,
  kernel: Kernel,
  shape: Shape,
  copy: Prepared,
): Promise<void> {
  new Plan(device, [copy.dispatch]).run(1)
  const { ok, worst, where } = await compare(device, kernel, shape, copy)
  if (ok) return
  throw new BenchError(
    `${name} computes the wrong numbers, so it gets no figure: ${where} ` +
      `(error ${worst.toPrecision(3)}, at most ${kernel.tolerance} is allowed).`,
  )
}

interface Times {
  /** Milliseconds a dispatch. */
  readonly ms: Spread
  /** Percent that its floor and `beside` are of a repeat's time: the median. */
  share(beside: number): number
}

/** Repeats of one submit that is long enough for its own cost not to show, in turns with its floor. */
async function time(
  { stopwatch, repeats, atLeast }: KernelBench,
  next: (count: number) => readonly Dispatch[],
  floorNow: () => Promise<number>,
): Promise<Times> {
  const count = await dispatchesFor(stopwatch, atLeast, next)
  const expected = noExpectation()
  const turns: { ms: number; floor: number }[] = []
  for (let i = 0; i < repeats; i++) {
    const ms = (await stopwatch.time(next(count), expected)) / count
    turns.push({ ms, floor: await floorNow() })
  }
  return {
    ms: spreadOf(turns.map(({ ms }) => ms)),
    share: (beside) => spreadOf(turns.map(({ ms, floor }) => ((floor + beside) / ms) * 100)).median,
  }
}

/** How many dispatches a submit needs to take `atLeast` ms; what it finds out with is a warm-up too. */
export async function dispatchesFor(
  stopwatch: Pick<Stopwatch, 'time'>,
  atLeast: number,
  next: (count: number) => readonly Dispatch[],
): Promise<number> {
  let count = 1
  for (;;) {
    const ms = await stopwatch.time(next(count), noExpectation())
    if (ms >= atLeast || count >= MOST_DISPATCHES) return count
    const wanted = Math.ceil((count * atLeast * 1.1) / ms)
    count = Math.min(MOST_DISPATCHES, Math.max(count + 1, Math.min(wanted, count * 16)))
  }
}
