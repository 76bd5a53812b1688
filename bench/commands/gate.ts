/** `bench gate`: this version's kernels beside another's, in turns; fails where one is wrong or slower beyond noise. */
import type { Command } from 'commander'
import { Device, Pipelines } from '../../kernels/index.ts'
import { BenchError } from '../failure.ts'
import { withVersion } from '../gate/checkout.ts'
import { compareVersions, type Gate, type GateBench } from '../gate/compare.ts'
import { THRESHOLD } from '../gate/judge.ts'
import { spinVersion, zeroVersion } from '../gate/spin.ts'
import { OURS } from '../gate/version.ts'
import { note, say } from '../measure.ts'
import { gateTable } from '../report/gate-table.ts'
import { Stopwatch } from '../stopwatch.ts'
import { onAdapter, type SuiteOptions, suiteCommand } from './options.ts'

interface GateOptions extends SuiteOptions {
  against: string
  only?: string
  prove?: boolean
}

export const gateCommand = (): Command =>
  suiteCommand('gate', 'Kernels before and now, in turns; fails on wrong or slower ones.')
    .option('--against <commit or folder>', 'what they were before', 'HEAD')
    .option('--only <text>', 'kernels and shapes with this text in their name')
    .option('--prove', 'tries the gate itself: 30 % slower, zeros, and no change')
    .action((options: GateOptions) =>
      withBench(options, (bench) => (options.prove ? prove(bench) : gate(bench, options))),
    )

async function withBench(
  options: GateOptions,
  use: (bench: GateBench) => Promise<void>,
): Promise<void> {
  const device = await Device.open({ ...onAdapter(options), onProgress: note })
  try {
    await use({
      device,
      pipelines: new Pipelines(device),
      stopwatch: await Stopwatch.open(device),
      pairs: Math.max(10, options.repeats ?? 15),
      // Short, and many of them: what disturbs a machine disturbs few.
      atLeast: device.caps.software ? 6 : 2,
    })
  } finally {
    device.close()
  }
}

/** Throws BenchError where the gate stays shut. */
async function gate(bench: GateBench, { against, only }: GateOptions): Promise<void> {
  const found = await withVersion(against, (before) =>
    compareVersions(bench, before, OURS, only, note),
  )
  const { rows, wrong, notes } = found
  if (rows.length + wrong.length + notes.length === 0) {
    throw new BenchError(`No kernel or shape has "${only}" in its name; leave --only out for all.`)
  }
  say(`\nKernels here beside those of ${against}, on ${bench.device.name} (${bench.device.driver})`)
  say(`\n${gateTable(rows)}\n`)
  say(
    `Slower or faster: the median ratio of pairs taken in turns is beyond ${THRESHOLD * 100} %, and the interval in which it surely lies\n` +
      'is on one side of 1. Noisy: after all pairs the interval is still too wide to say; run it on a quieter machine.',
  )
  for (const line of [...notes, ...wrong]) say(line)
  const shut = shutBy(found)
  if (shut.length > 0) throw new BenchError(`The gate stays shut: ${shut.join('; ')}.`)
}

/** Why this version may not pass. */
const shutBy = ({ rows, wrong }: Gate): string[] => [
  ...wrong,
  ...rows
    .filter(({ verdict }) => verdict === 'slower')
    .map(({ name, ratio }) => `${name} takes ${ratio.median.toFixed(2)} times as long`),
]

/** On a made-up kernel. Throws BenchError where the gate does not catch what it must, or what it must not. */
async function prove(bench: GateBench): Promise<void> {
  const tries = [
    { what: 'the same kernel', now: spinVersion(1), isShut: false },
    { what: '30 % more work', now: spinVersion(1.3), isShut: true },
    { what: 'zeros', now: zeroVersion(), isShut: true },
  ]
  const failed: string[] = []
  for (const { what, now, isShut } of tries) {
    const found = await compareVersions(bench, spinVersion(1), now, undefined, note)
    const shut = shutBy(found)
    say(`\n${what}: ${shut.length > 0 ? `caught: ${shut.join('; ')}` : 'passes'}`)
    if (found.rows.length > 0) say(`\n${gateTable(found.rows)}`)
    if (shut.length > 0 !== isShut) failed.push(what)
  }
  if (failed.length > 0) throw new BenchError(`The gate is wrong about: ${failed.join(', ')}.`)
}
