/** A profile in a terminal: kernels by what they take. */
import type { Profile } from '../suites/profile.ts'
import { brief, table } from './table.ts'

export function profileTable({ kernels, sum, step, ofRoofline, withDispatches }: Profile): string {
  const rows = kernels.map(({ name, dispatches, us, share, bandwidth, ofRoofline: of }) => [
    name,
    String(dispatches),
    ...[us.median / dispatches, us.min, us.median, us.max].map(brief),
    `${share.toFixed(1)} %`,
    brief(bandwidth),
    of.toFixed(1),
  ])
  const all = kernels.reduce((total, { dispatches }) => total + dispatches, 0)
  const head = [
    'kernel',
    'dispatches',
    'µs each',
    'min µs',
    'median',
    'max',
    'share',
    'GB/s',
    '% of probes',
  ]
  return [
    table(head, [...rows, ['sum', String(all), '', '', brief(sum * 1000), '', '100 %']]),
    `The whole step, one pass, one submit: ${brief(step.median)} ms (${brief(step.min)}–${brief(step.max)}), ` +
      `${ofRoofline.toFixed(1)} % of what the probes allow; ${withDispatches.toFixed(1)} % where what empty dispatches take counts, too.`,
  ].join('\n\n')
}
