/**
 * Where a token's time goes: by kernel on the GPU, and on the host. Kernels are timed in a step that an engine launched,
 * run again as it was: by the adapter's clock where it has one, else by what the step takes without them.
 */
import { Pipelines } from '../../kernels/index.ts'
import type { Figure } from '../figures.ts'
import { checkIds } from '../greedy.ts'
import { type ProbeOptions, Probes } from '../probes.ts'
import { type Decoded, Decoding } from '../profile/decoding.ts'
import { differences } from '../profile/differencing.ts'
import { hostFigures } from '../profile/host-figures.ts'
import {
  nameOf,
  type Placed,
  placedOf,
  segmentOf,
  sum,
  workgroupsOf,
  workOf,
} from '../profile/placed.ts'
import { hasTimestamps, Timestamps } from '../profile/timestamps.ts'
import { promptOf } from '../prompts.ts'
import { type Spread, spreadOf } from '../statistics.ts'
import { type HostTimes, noExpectation, Stopwatch } from '../stopwatch.ts'

/** Times a step is encoded. */
const ENCODINGS = 25

export interface ProfileOptions {
  readonly model: string | undefined
  readonly adapter: string | undefined
  /** Tokens of the prompt: what attention goes over. */
  readonly context: number
  /** Tokens decoded for the host's figures. */
  readonly tokens: number
  /** Rounds that kernels are timed in. */
  readonly repeats: number
  /** Look at a step of the prompt instead of a decode step. */
  readonly prefill: boolean
  /** Time by difference even where the adapter has a clock. */
  readonly differencing: boolean
  /** How long the probes measure. */
  readonly probes?: ProbeOptions
  readonly note: (message: string) => void
}

export interface KernelShare {
  readonly name: string
  /** In the step. */
  readonly dispatches: number
  /** Microseconds of all of them. */
  readonly us: Spread
  /** Of all kernels, in percent of the medians. */
  readonly share: number
  /** Of the median: GB/s, and what the probes allow over what it took, in percent. */
  readonly bandwidth: number
  readonly ofRoofline: number
}

export interface Profile {
  readonly model: string
  readonly weights: string
  readonly adapter: string
  readonly driver: string
  readonly method: 'timestamps' | 'differencing'
  readonly rows: number
  readonly probes: { readonly read: number; readonly fma: number }
  readonly kernels: readonly KernelShare[]
  /** Milliseconds of the whole step in one pass, and the sum of its kernels' medians. */
  readonly step: Spread
  readonly sum: number
  /** What the probes allow for the whole step over what it took, in percent. */
  readonly ofRoofline: number
  /** The same with what as many empty dispatches cost on both sides. */
  readonly withDispatches: number
  /** Of a decoded token, beside what is wanted. */
  readonly host: readonly Figure[]
}

/** Throws EngineError, GpuError, BenchError. */
export async function profile(options: ProfileOptions): Promise<Profile> {
  options.note('load')
  const decoding = await Decoding.open(options.model, options.adapter)
  try {
    const { model } = decoding
    const prompt = promptOf(options.context, model.config.vocabularySize)
    options.note(`decode ${options.tokens} tokens after ${options.context}, twice`)
    const { ids } = await decoding.run(prompt, options.tokens)
    const decoded = await decoding.run(prompt, options.tokens)
    checkIds(`After ${options.context} prompt tokens`, decoded.ids, ids)
    const placed = placedOf(options.prefill ? decoded.promptStep : decoded.step)
    const { id, weights, layers } = model.info
    const { device } = model.open
    return {
      model: id,
      weights,
      adapter: device.name,
      driver: device.driver,
      rows: placed[0]?.rows ?? 0,
      ...(await kernelsOf(decoding, placed, options)),
      host: hostFigures(decoded, await hostTimes(decoding, decoded), dispatchesOf(decoded), layers),
    }
  } finally {
    await decoding.close()
  }
}

/** Of the step as the engine launched it, again and again: on a CPU adapter, what is at work takes the host's cores. */
async function hostTimes({ model }: Decoding, { step }: Decoded): Promise<HostTimes[]> {
  const stopwatch = await Stopwatch.open(model.open.device)
  const expected = noExpectation()
  const times: HostTimes[] = []
  while (times.length < ENCODINGS) times.push(await stopwatch.timeHost(step, expected))
  return times
}

/** Of the layers: what embedding, final norm, head and sampling take is not theirs. */
function dispatchesOf({ step }: Decoded): number {
  const [body] = step
  return body?.dispatches.filter(({ label }) => label !== 'embed').length ?? 0
}

async function kernelsOf(
  { model }: Decoding,
  placed: readonly Placed[],
  options: ProfileOptions,
): Promise<Omit<Profile, 'host' | 'model' | 'weights' | 'adapter' | 'driver' | 'rows'>> {
  const { device } = model.open
  const stopwatch = await Stopwatch.open(device)
  options.note('probes: streaming reads and multiply-adds')
  const probes = await Probes.run(device, new Pipelines(device), stopwatch, options.probes)
  const expected = noExpectation()
  const steps: number[] = []
  const timeStep = async (): Promise<void> => {
    steps.push(await stopwatch.timeSegments(placed.map(segmentOf), expected))
  }
  const method = hasTimestamps(device) && !options.differencing ? 'timestamps' : 'differencing'
  options.note(`kernels, by ${method}, ${options.repeats} rounds`)
  await timeStep()
  const times =
    method === 'timestamps'
      ? await byTimestamps(await Timestamps.open(device), placed, options.repeats, timeStep)
      : await differences(stopwatch, placed, options.repeats)
  for (let i = steps.length; i < options.repeats; i++) await timeStep()
  const context = options.context + options.tokens
  const kernels = sharesOf(placed, times, probes, context)
  const step = spreadOf(steps)
  const { bytes, flops } = sum(placed.map((one) => workOf(one, context)))
  const costs = placed.reduce((total, one) => total + probes.cost(workgroupsOf(one)), 0)
  return {
    method,
    probes: { read: probes.read, fma: probes.fma },
    kernels,
    step,
    sum: kernels.reduce((total, { us }) => total + us.median, 0) / 1000,
    ofRoofline: (probes.floor(bytes, flops) / step.median) * 100,
    withDispatches: ((probes.floor(bytes, flops) + costs) / step.median) * 100,
  }
}

/** The whole step and its parts in turns. */
async function byTimestamps(
  clock: Timestamps,
  placed: readonly Placed[],
  rounds: number,
  between: () => Promise<void>,
): Promise<Map<string, number[]>> {
  const all = new Map<string, number[]>()
  for (let round = 0; round < rounds; round++) {
    const times = await clock.time(placed)
    const sums = new Map<string, number>()
    for (const [i, one] of placed.entries()) {
      sums.set(nameOf(one), (sums.get(nameOf(one)) ?? 0) + (times[i] ?? 0))
    }
    for (const [name, us] of sums) all.set(name, [...(all.get(name) ?? []), us])
    await between()
  }
  clock.close()
  return all
}

function sharesOf(
  placed: readonly Placed[],
  times: ReadonlyMap<string, readonly number[]>,
  probes: Probes,
  context: number,
): KernelShare[] {
  const spreads = [...times].map(([name, all]) => ({ name, us: spreadOf(all) }))
  const total = spreads.reduce((before, { us }) => before + us.median, 0)
  const kernels = spreads.map(({ name, us }): KernelShare => {
    const own = placed.filter((one) => nameOf(one) === name)
    const { bytes, flops } = sum(own.map((one) => workOf(one, context)))
    return {
      name,
      dispatches: own.length,
      us,
      share: (us.median / total) * 100,
      bandwidth: bytes / us.median / 1000,
      ofRoofline: (probes.floor(bytes, flops) / (us.median / 1000)) * 100,
    }
  })
  return kernels.sort((a, b) => b.us.median - a.us.median)
}
