/** Two versions of the kernels side by side. */
import type { GateRow } from '../gate/compare.ts'
import { brief, table } from './table.ts'

const SAID = { slower: 'SLOWER', faster: 'faster', same: '', open: 'noisy' }

export const gateTable = (rows: readonly GateRow[]): string =>
  table(
    ['kernel', 'before ms', 'now', 'ratio', 'surely', 'min', 'max', 'pairs', ''],
    rows.map(({ name, before, now, ratio, interval, pairs, verdict }) => [
      name,
      ...[before.median, now.median].map(brief),
      ratio.median.toFixed(2),
      interval.map((value) => value.toFixed(2)).join('–'),
      ...[ratio.min, ratio.max].map((value) => value.toFixed(2)),
      String(pairs),
      SAID[verdict],
    ]),
  )
