/** `bench kernels`: each declared kernel × its shapes, beside what the adapter can do. */
import type { Command } from 'commander'
import { measure, note, type Part, say } from '../measure.ts'
import { kernelTable } from '../report/figures-table.ts'
import { brief } from '../report/table.ts'
import { runKernels } from '../run-kernels.ts'
import { onAdapter, type SuiteOptions, suiteCommand } from './options.ts'

export interface KernelsOptions extends SuiteOptions {
  only?: string
  allTunings?: boolean
}

export const withKernels = (command: Command): Command =>
  command
    .option('--only <text>', 'kernels and shapes with this text in their name')
    .option('--all-tunings', 'every valid tuning, not only the one the engine takes')

export const kernelsCommand = (): Command =>
  withKernels(suiteCommand('kernels', 'Each declared kernel beside the probes.')).action(
    (options: KernelsOptions) => measure([kernelsPart], options),
  )

export async function kernelsPart(options: KernelsOptions): Promise<Part> {
  const suite = await runKernels({
    ...onAdapter(options),
    ...(options.only ? { only: options.only } : {}),
    allTunings: options.allTunings ?? false,
    repeats: options.repeats ?? (options.full ? 15 : 7),
    note,
  })
  say(`\nKernels on ${suite.adapter} (${suite.driver})`)
  const { read, fma, dispatch } = suite.probes
  say(
    `Probes: streaming reads ${brief(read)} GB/s, multiply-adds ${brief(fma)} GFLOP/s, an empty dispatch ` +
      `${brief(dispatch.one * 1000)} µs, of many workgroups ${brief(dispatch.many * 1000)} µs`,
  )
  if (suite.rows.length > 0) say(`\n${kernelTable(suite.rows)}`)
  say(
    '\nEvery output was checked against its oracle. Milliseconds are those of a dispatch, its own cost included, of many in a\n' +
      'submit. Weights and KV caches came in turn from copies that no cache holds (at most 256 copies of a small one).\n' +
      '% of probes: what the slower of reads and multiply-adds takes, timed right after each repeat, over that repeat, the median;\n' +
      'at best: both at their fastest; with dispatch: what an empty dispatch takes counts for both sides; reachable: what % of\n' +
      'probes would be if the kernel took no longer than the probes and an empty dispatch do.',
  )
  for (const failure of suite.failures) say(`\nNO FIGURE: ${failure}`)
  const { adapter, driver, figures, failures, rows } = suite
  const kernels = rows.map(({ name, bandwidth, arithmetic }) => ({ name, bandwidth, arithmetic }))
  return {
    what: 'kernels',
    adapter,
    driver,
    figures,
    failures,
    roofline: { probes: { read, fma }, kernels },
  }
}
