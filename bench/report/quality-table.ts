/** What each type of quantization costs, a line each. */
import type { QualityReport } from '../suites/quality.ts'
import { table } from './table.ts'

const percent = (fraction: number): string =>
  `${fraction < 0 ? '' : '+'}${(fraction * 100).toFixed(2)} %`

export function qualityTable({ rows }: Pick<QualityReport, 'rows'>): string {
  const lines = rows.map(({ type, weights, bytes, perplexity, cost, most }) => [
    type ?? 'as it is',
    weights,
    `${(bytes / 1e6).toFixed(1)} MB`,
    perplexity.toFixed(4),
    type === null ? '' : percent(cost),
    ...(most === null ? [] : [`at most ${percent(most)}`]),
  ])
  return table(['quantize', 'weights', 'on the GPU', 'perplexity', 'cost', 'wanted'], lines)
}
