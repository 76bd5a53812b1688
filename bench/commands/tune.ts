/** `bench tune`: the fastest tunings of a model's kernels on this adapter, kept for the engine to read at load. */
import type { Command } from 'commander'
import { loadModel } from '../../engine/load-model.ts'
import { Device, Pipelines, tuningFile } from '../../kernels/index.ts'
import { tunings } from '../../kernels/kernel.ts'
import type { Asked, KeptTuning } from '../../kernels/tuned.ts'
import { keepTunings } from '../../kernels/tuning-file.ts'
import { BenchError } from '../failure.ts'
import { note, say } from '../measure.ts'
import { tuneTable } from '../report/tune-table.ts'
import { Stopwatch } from '../stopwatch.ts'
import { type Tuned, tuneKernel } from '../suites/tune.ts'
import { type ModelOptions, onAdapter, suiteCommand, withModel } from './options.ts'

interface TuneOptions extends ModelOptions {
  only?: string
  dryRun?: boolean
}

export const tuneCommand = (): Command =>
  withModel(
    suiteCommand('tune', "Searches the tunings of a model's kernels and keeps the fastest."),
  )
    .option('--only <text>', 'kernels and shapes with this text in their key')
    .option('--dry-run', 'keeps nothing')
    .action(tune)

/** Throws BenchError, EngineError, GpuError. */
async function tune(options: TuneOptions): Promise<void> {
  const asked = await shapesOf(options)
  if (asked.length === 0) {
    throw new BenchError(
      `No kernel of the model has "${options.only}" in its key and a choice of tunings.`,
    )
  }
  const device = await Device.open({ ...onAdapter(options), onProgress: note })
  try {
    const bench = {
      device,
      pipelines: new Pipelines(device),
      stopwatch: await Stopwatch.open(device),
      rounds: options.repeats ?? (options.full ? 21 : 9),
      atLeast: device.caps.software ? 6 : 2,
      coldBytes: device.caps.software ? 24e6 : 128e6,
      note,
    }
    const rows: Tuned[] = []
    for (const one of asked) {
      const row = await tuneKernel(bench, one)
      rows.push(row)
      if (row.kept && !options.dryRun) keepTunings(device, new Map([[row.key, row.kept]]))
    }
    report(rows, device, options.dryRun ?? false)
  } finally {
    device.close()
  }
}

/** The kernels and shapes that the model runs, where there is something to choose. */
async function shapesOf(options: TuneOptions): Promise<Pick<Asked, 'kernel' | 'shape'>[]> {
  const { open } = await loadModel(options.model, {
    ...onAdapter(options),
    device: { inThread: true },
  })
  try {
    const { asked } = open.tunings
    return [...asked]
      .filter(([key]) => key.includes(options.only ?? ''))
      .map(([, one]) => one)
      .filter(({ kernel, shape }) => tunings(kernel, shape, open.device.caps).length > 1)
  } finally {
    open.device.close()
  }
}

function report(rows: readonly Tuned[], device: Device, isDry: boolean): void {
  say(`\nTunings on ${device.name} (${device.driver})\n\n${tuneTable(rows)}\n`)
  say(
    'Every candidate was checked against its oracle, and all were timed in turns. Gain: the median over the rounds of the time\n' +
      'in the default over that in the winner, for steps of one row, several and many. Kept is what gains 5 % in one form and\n' +
      'loses nothing in the others; all forms sum in one order.',
  )
  for (const { key, refused } of rows) {
    for (const line of refused) say(`REFUSED: ${key} ${line}`)
  }
  const kept = rows.filter((row) => row.kept) as (Tuned & { kept: KeptTuning })[]
  say(
    isDry
      ? `\n${kept.length} would be kept.`
      : `\n${kept.length} kept in ${tuningFile(device)}; engines read it when they load a model.`,
  )
}
