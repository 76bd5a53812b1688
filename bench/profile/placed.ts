/** The dispatches of a step one by one: their names, and what each must read and compute at least. */
import { type Dispatch, formatOf, PAGE, type Segment, type Shape } from '../../kernels/index.ts'
import { bytesMoved } from '../suites/kernels.ts'

/** A dispatch with the rows of its step. */
export interface Placed {
  readonly dispatch: Dispatch
  readonly rows: number
  readonly tiles: number
  /** Spans of keys with workgroups of their own. */
  readonly spans: number
}

export interface Work {
  readonly bytes: number
  readonly flops: number
}

export const placedOf = (step: readonly Segment[]): Placed[] =>
  step.flatMap(({ dispatches, rows, tiles = rows, spans = 1 }) =>
    dispatches.map((dispatch) => ({ dispatch, rows, tiles, spans })),
  )

export const segmentOf = ({ dispatch, rows, tiles, spans }: Placed): Segment => ({
  dispatches: [dispatch],
  rows,
  tiles,
  spans,
})

export const workgroupsOf = ({ dispatch, rows, tiles, spans }: Placed) =>
  dispatch.workgroups(rows, tiles, spans)

/** Kernel and matrix: dispatches of one name do like work. */
export function nameOf({ dispatch: { label, origin } }: Placed): string {
  const matrix = origin?.kernel.weight?.(origin.shape)
  if (!matrix) return label
  return `${label} ${matrix.rows}×${matrix.columns} ${matrix.format}`
}

/**
 * What a dispatch moves and computes by its kernel's own declaration, over the rows of its step; attention over `context`
 * tokens. Weights count once, as they are in the checkpoint.
 */
export function workOf({ dispatch: { origin }, rows, tiles }: Placed, context: number): Work {
  if (!origin) return { bytes: 0, flops: 0 }
  const { kernel } = origin
  const shape = shapeOf(origin.shape, rows, tiles, context)
  const matrix = kernel.weight?.(shape)
  const row = matrix && formatOf(matrix.format).rowBytes(matrix.columns)
  const weights = matrix && row ? matrix.rows * (row.weight + row.scales + row.biases) : 0
  return { bytes: bytesMoved(kernel, shape, weights), flops: kernel.cost(shape).flops }
}

function shapeOf(shape: Shape, rows: number, tiles: number, context: number): Shape {
  const sizes = {
    batch: rows,
    rows: 'batch' in shape ? shape.rows : rows,
    tiles,
    pages: Math.ceil(context / PAGE),
  }
  const known = Object.entries(sizes).filter(([name]) => name in shape)
  return { ...shape, ...(Object.fromEntries(known) as Record<string, number>) }
}

export function sum(works: readonly Work[]): Work {
  const add = (pick: (work: Work) => number): number =>
    works.reduce((total, work) => total + pick(work), 0)
  return { bytes: add(({ bytes }) => bytes), flops: add(({ flops }) => flops) }
}
