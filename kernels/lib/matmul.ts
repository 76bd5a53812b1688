/** What every kernel over `matmul.wgsl` shares: its tile space, constants, fragments and dispatch. */
import type { Capabilities } from '../gpu/capabilities.ts'
import { type Fragment, type Random, roundUp } from '../kernel.ts'

/** A product of `batch` activation rows with a weight matrix of `pairs` row pairs and `columns` columns. */
export type MatmulShape = {
  format: string
  /** Activation rows the pipeline is made for: 1 in decode, more in prefill. */
  batch: number
  /** Weight rows of this matrix, or of this part of a split one. */
  rows: number
  columns: number
  /** First pair of this part. */
  start: number
}

export type MatmulTuning = {
  /** Neighbouring row pairs across a workgroup. */
  LANES: number
  /** Row pairs an invocation owns: 1 or 2. */
  TILE_PAIRS: number
  /** Activation rows an invocation owns. */
  TILE_ROWS: number
  /** Runs the columns are cut into. It decides the order of the sum, so a matrix uses one value for every batch. */
  SPLIT: number
  /** 1: activations go round by subgroup shuffles. */
  SHUFFLE: number
}

const CORE: Fragment = { wgsl: new URL('./matmul.wgsl', import.meta.url) }
const DIRECT: Fragment = { wgsl: new URL('./x-direct.wgsl', import.meta.url) }
const SHUFFLED: Fragment = {
  wgsl: new URL('./x-subgroup.wgsl', import.meta.url),
  enables: ['subgroups'],
}

const PAIRS: Readonly<Record<number, Fragment>> = {
  1: { wgsl: new URL('./pairs-1.wgsl', import.meta.url) },
  2: { wgsl: new URL('./pairs-2.wgsl', import.meta.url) },
}

/** Activation rows of the tile that steps of several rows take. */
export const ROW_TILE = 8

export const matmulTune = {
  LANES: [32],
  TILE_PAIRS: [2, 1],
  TILE_ROWS: [1, ROW_TILE],
  SPLIT: [1, 4],
  SHUFFLE: [1, 0],
} as const satisfies { [K in keyof MatmulTuning]: readonly number[] }

export function validMatmul(shape: MatmulShape, tuning: MatmulTuning, caps: Capabilities): boolean {
  if (tuning.SHUFFLE === 1 && (caps.subgroupMin < 8 || tuning.SPLIT > 1)) return false
  if (tuning.LANES * tuning.SPLIT > caps.maxInvocations) return false
  // Two pairs pay only where several rows share the activations.
  if (tuning.TILE_PAIRS > 1 && (tuning.TILE_ROWS === 1 || tuning.SPLIT > 1)) return false
  return shape.batch === 1 ? tuning.TILE_ROWS === 1 : true
}

export const matmulFragments = (tuning: MatmulTuning): readonly Fragment[] => [
  tuning.SHUFFLE === 1 ? SHUFFLED : DIRECT,
  PAIRS[tuning.TILE_PAIRS] as Fragment,
  CORE,
]

/** Row pairs of the part, and pair blocks of 32 pairs. */
export const pairsOf = (rows: number): number => Math.ceil(rows / 2)

export function matmulConsts(shape: MatmulShape, tuning: MatmulTuning): Record<string, number> {
  const pairs = pairsOf(shape.rows)
  return {
    KB: Math.ceil(shape.columns / 32),
    PAIR_BLOCKS: Math.ceil(pairs / 32),
    PAIR_START: shape.start,
    PAIR_END: shape.start + pairs,
    LANES: tuning.LANES,
    TILE_PAIRS: tuning.TILE_PAIRS,
    TILE_ROWS: tuning.TILE_ROWS,
    SPLIT: tuning.SPLIT,
  }
}

export function matmulDispatch(
  shape: MatmulShape,
  tuning: MatmulTuning,
): readonly [number, number, number] {
  const items = Math.ceil(Math.ceil(pairsOf(shape.rows) / 32) / tuning.TILE_PAIRS) * 32
  return [items / tuning.LANES, Math.ceil(shape.batch / tuning.TILE_ROWS), 1]
}

/** Columns of an activation row in memory. */
export const paddedColumns = (columns: number): number => roundUp(columns, 32)

export const matmulCost = (shape: MatmulShape): { bytes: number; flops: number } => ({
  bytes: 4 * shape.batch * (shape.columns + shape.rows),
  flops: 2 * shape.batch * shape.rows * shape.columns,
})

/** Random activations, zero in the padding; scaled so that products are about 1 for any number of columns. */
export function matmulInputs(shape: MatmulShape, random: Random): { x: Float32Array } {
  const stride = paddedColumns(shape.columns)
  // Tiles may read rows past the batch: the buffer goes on to the end of the tile.
  const x = new Float32Array(roundUp(shape.batch, 8) * stride)
  for (let m = 0; m < shape.batch; m++) {
    for (let k = 0; k < shape.columns; k++)
      x[m * stride + k] = random.f32(3 / Math.sqrt(shape.columns))
  }
  return { x }
}

/** dot(weight[n], x[m]) in float64. */
export function product(
  shape: MatmulShape,
  x: Float32Array,
  weight: Float32Array,
  m: number,
  n: number,
): number {
  const { columns } = shape
  const stride = paddedColumns(columns)
  let sum = 0
  for (let k = 0; k < columns; k++) sum += weight[n * columns + k]! * x[m * stride + k]!
  return sum
}
