/** The tables that a run of the bench prints. */
import type { Figure } from '../figures.ts'
import type { KernelRow } from '../suites/kernels.ts'
import { brief, table } from './table.ts'

export function kernelTable(rows: readonly KernelRow[]): string {
  return table(
    [
      ...['kernel', 'min ms', 'median', 'max', 'GB/s', 'GFLOP/s'],
      ...['% of probes', 'at best', 'with dispatch', 'reachable'],
    ],
    rows.map(({ name, ms, bandwidth, arithmetic, ofRoofline, ...row }) => [
      name,
      ...[ms.min, ms.median, ms.max, bandwidth, arithmetic].map(brief),
      ...[ofRoofline, row.atBest, row.withDispatch, row.reachable].map((share) => share.toFixed(1)),
    ]),
  )
}

export function figureTable(figures: readonly Figure[]): string {
  return table(
    ['figure', 'min', 'median', 'max', 'unit', 'runs'],
    figures.map(({ name, unit, runs, min, median, max }) => [
      name,
      ...[min, median, max].map(brief),
      unit,
      runs === undefined ? '' : String(runs),
    ]),
  )
}
