/** What the tuner found, a line a kernel and shape. */
import type { Tuning } from '../../kernels/kernel.ts'
import type { Tuned } from '../suites/tune.ts'
import { table } from './table.ts'

const brief = (tuning: Tuning): string =>
  Object.entries(tuning)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')

export const tuneTable = (rows: readonly Tuned[]): string =>
  table(
    ['kernel and shape', 'tried', 'gain one', 'several', 'one row', 'several rows'],
    rows.map(({ key, candidates, gain, kept, now }) => [
      key,
      String(candidates),
      gain.one.toFixed(2),
      gain.several.toFixed(2),
      kept ? brief(now.one) : 'default',
      kept ? brief(now.several) : 'default',
    ]),
  )
