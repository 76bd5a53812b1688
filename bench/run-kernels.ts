/** The kernel suite from adapter to table: probes, every declared kernel, the summary of what failed. */

import { Pipelines } from '../kernels/gpu/pipeline.ts'
import { Device, kernels } from '../kernels/index.ts'
import type { Kernel } from '../kernels/kernel.ts'
import { knownCase } from '../kernels/known-case.ts'
import { BenchError } from './failure.ts'
import type { Figure } from './figures.ts'
import { Probes, submitLength } from './probes.ts'
import { Stopwatch } from './stopwatch.ts'
import { type KernelBench, type KernelRow, timeKernel, tuningsToTime } from './suites/kernels.ts'

export interface KernelSuiteOptions {
  readonly adapter?: string
  /** Only kernels whose name or shape's name has this text. */
  readonly only?: string
  readonly allTunings: boolean
  readonly repeats: number
  readonly note: (message: string) => void
}

export interface KernelSuite {
  readonly adapter: string
  readonly driver: string
  readonly software: boolean
  readonly probes: Pick<Probes, 'read' | 'fma' | 'dispatch'>
  readonly rows: readonly KernelRow[]
  /** Kernels that got no figure, and why. */
  readonly failures: readonly string[]
  readonly figures: readonly Figure[]
}

/** Runs the suite on a device of its own. Throws GpuError; wrong kernels are in `failures`. */
export async function runKernels(options: KernelSuiteOptions): Promise<KernelSuite> {
  const device = await Device.open({
    ...(options.adapter ? { adapter: options.adapter } : {}),
    onProgress: options.note,
  })
  try {
    const pipelines = new Pipelines(device)
    const stopwatch = await Stopwatch.open(device)
    options.note('probes: dispatches, streaming reads and multiply-adds')
    const probes = await Probes.run(device, pipelines, stopwatch)
    const { repeats } = options
    const atLeast = submitLength(device)
    const bench = { device, pipelines, stopwatch, probes, repeats, atLeast }
    const { rows, failures } = await timeAll(bench, options)
    return {
      adapter: device.name,
      driver: device.driver,
      software: device.caps.software,
      probes: { read: probes.read, fma: probes.fma, dispatch: probes.dispatch },
      rows,
      failures,
      figures: figuresOf(probes, rows),
    }
  } finally {
    device.close()
  }
}

async function timeAll(
  bench: KernelBench,
  { only, allTunings, note }: KernelSuiteOptions,
): Promise<{ rows: KernelRow[]; failures: string[] }> {
  const rows: KernelRow[] = []
  const failures: string[] = []
  for (const declared of Object.values(kernels)) {
    const kernel = declared as unknown as Kernel
    for (const [title, shape] of Object.entries(kernel.bench)) {
      const base = `${kernel.name}: ${title}`
      if (only && !base.includes(only)) continue
      note(base)
      const known = knownCase(kernel, shape)
      for (const tuning of tuningsToTime(kernel, shape, bench.device, allTunings)) {
        const name = allTunings ? `${base} ${nameOf(tuning)}` : base
        try {
          rows.push(await timeKernel(bench, name, kernel, shape, tuning, known))
        } catch (error) {
          if (!(error instanceof BenchError)) throw error
          failures.push(error.message)
        }
      }
    }
  }
  if (rows.length + failures.length === 0) {
    throw new BenchError(`No kernel or shape has "${only}" in its name; leave --only out for all.`)
  }
  return { rows, failures }
}

const nameOf = (tuning: Readonly<Record<string, number>>): string =>
  Object.entries(tuning)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ')

function figuresOf(probes: Probes, rows: readonly KernelRow[]): Figure[] {
  const single = (name: string, unit: string, value: number): Figure => {
    return { name, unit, min: value, median: value, max: value }
  }
  return [
    single('probe: streaming reads', 'GB/s', probes.read),
    single('probe: multiply-adds', 'GFLOP/s', probes.fma),
    single('probe: a dispatch of one workgroup', 'ms', probes.dispatch.one),
    single('probe: a dispatch of many', 'ms', probes.dispatch.many),
    ...rows.map(({ name, ms }) => ({ name, unit: 'ms', ...ms })),
    ...rows.map(({ name, ofRoofline }) => single(name, '%', ofRoofline)),
  ]
}
