/** What the tuner found, a line a kernel and shape. */
import { FORMS, type Tuning } from '../../kernels/kernel.ts'
import type { Tuned } from '../suites/tune.ts'
import { table } from './table.ts'

const brief = (tuning: Tuning): string =>
  Object.entries(tuning)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')

export const tuneTable = (rows: readonly Tuned[]): string =>
  table(
    [
      'kernel and shape',
      'tried',
      ...FORMS.map((form) => `gain ${form}`),
      'one row',
      'several',
      'many',
    ],
    rows.map(({ key, candidates, gain, kept, now }) => [
      key,
      String(candidates),
      ...FORMS.map((form) => gain[form].toFixed(2)),
      ...FORMS.map((form) => (kept ? brief(now[form]) : 'default')),
    ]),
  )
