/** Runs of keys that each have a softmax of their own; spans.wgsl says the same. */
import { PAGE } from './kv-layout.ts'

/** Keys of a span: it decides the order of attention's sums. */
export const SPAN = 512

export interface Reach {
  /** Pages a sequence may have. */
  readonly pages: number
  /** Keys that a query sees, its own included; 0: all. */
  readonly window: number
}

/** Most spans that `rows` rows in a row see keys of. */
export function spansOf({ pages, window }: Reach, rows = 1): number {
  const all = Math.ceil((pages * PAGE) / SPAN)
  return window > 0 ? Math.min(all, Math.ceil((window + rows - 2) / SPAN) + 1) : all
}

/** Floats of what a span leaves of a row: highest score and sum of weights, then its values. */
export const partialFloats = (padded: number): number => 4 + padded * 2

/** The first and the last span that a row sees keys of. */
export const spansAt = (position: number, window: number): { from: number; to: number } => ({
  from: Math.floor((window > 0 ? Math.max(0, position + 1 - window) : 0) / SPAN),
  to: Math.floor(position / SPAN),
})
