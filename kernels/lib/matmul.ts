/** What every kernel over `matmul.wgsl` shares: its tile space, constants, fragments and dispatch. */
import { formatOf } from '../formats/index.ts'
import type { Capabilities } from '../gpu/capabilities.ts'
import { type Forms, type Fragment, type Random, roundUp } from '../kernel.ts'
import { int8RowWords, packInt8Row, unpackInt8Row } from './int8-rows.ts'

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
  /** Activations of eight bits, for weights that are integers; f32 where it is not said. */
  x?: 'int8'
}

export type MatmulTuning = {
  /** Neighbouring quads (four weight rows each) across a workgroup. */
  LANES: number
  /** Activation rows an invocation owns. */
  TILE_ROWS: number
  /** Quads an invocation owns: activations are read once for all of them. */
  QUADS: number
  /** Runs the columns are cut into. It decides the order of the sum, so a matrix uses one value for every batch. */
  SPLIT: number
  /** 1: activations go round by subgroup shuffles. */
  SHUFFLE: number
}

const CORE: Fragment = { wgsl: new URL('./matmul.wgsl', import.meta.url) }
const END: Fragment = { wgsl: new URL('./matmul-end.wgsl', import.meta.url) }
const DIRECT: Fragment = { wgsl: new URL('./x-direct.wgsl', import.meta.url) }
const CORE_INT8: Fragment = { wgsl: new URL('./matmul-int8.wgsl', import.meta.url) }
const DIRECT_INT8: Fragment = { wgsl: new URL('./x-int8-direct.wgsl', import.meta.url) }
const SHUFFLED_INT8: Fragment = {
  wgsl: new URL('./x-int8-subgroup.wgsl', import.meta.url),
  enables: ['subgroups'],
}
const SHUFFLED: Fragment = {
  wgsl: new URL('./x-subgroup.wgsl', import.meta.url),
  enables: ['subgroups'],
}

/** Most activation rows of a tile: buffers go on to a multiple of it. */
export const ROW_TILE = 8

export const matmulTune = {
  LANES: [8, 32],
  TILE_ROWS: [1, 4, ROW_TILE],
  QUADS: [1, 2],
  SPLIT: [1, 16, 4],
  SHUFFLE: [1, 0],
} as const satisfies { [K in keyof MatmulTuning]: readonly number[] }

/** See `Kernel.order`. */
export const matmulOrder = ['SPLIT'] as const

/**
 * Tiles of a product over one row, or over several. On a CPU adapter an invocation sums whole rows and activations go
 * round by shuffles; on a GPU the columns are cut into runs, so that more invocations work at once. `SPLIT` does not
 * depend on `batch`: it decides the order of the sum.
 */
export function soundMatmul(shape: MatmulShape, caps: Capabilities): MatmulTuning {
  const { batch, format, x } = shape
  const split = caps.software ? 1 : 16
  const shuffle = split === 1 && caps.subgroupMin >= 8 ? 1 : 0
  const several = caps.software ? 4 : ROW_TILE
  // Integers are unpacked once per tile: there is time to spare for a second quad. Of floats its loads are in the way.
  const isWide = shuffle === 1 && batch > 1 && x !== 'int8' && formatOf(format).integers
  const rows = batch === 1 ? 1 : several
  return { LANES: 8, SPLIT: split, SHUFFLE: shuffle, QUADS: isWide ? 2 : 1, TILE_ROWS: rows }
}

export const matmulForms = <S extends MatmulShape>(shape: S, rows: number): Forms<S> => ({
  one: { ...shape, batch: 1 },
  several: { ...shape, batch: rows },
})

export function validMatmul(shape: MatmulShape, tuning: MatmulTuning, caps: Capabilities): boolean {
  const { LANES, TILE_ROWS, QUADS, SPLIT, SHUFFLE } = tuning
  if (shape.x === 'int8' && !formatOf(shape.format).integers) return false
  if (SHUFFLE === 1 && (caps.subgroupMin < 8 || SPLIT > 1)) return false
  if (LANES * SPLIT > Math.min(128, caps.maxInvocations)) return false
  if (SPLIT > 1 && ((LANES === 8 && SPLIT === 4) || TILE_ROWS === 4)) return false
  if (QUADS > 1 && (TILE_ROWS === 1 || LANES > 8 || shape.x === 'int8')) return false
  // More sums than a CPU has registers, and seconds to compile.
  if (QUADS > 1 && TILE_ROWS > 4 && caps.software) return false
  if (SPLIT * LANES * QUADS * TILE_ROWS * 16 > caps.maxWorkgroupBytes) return false
  return shape.batch === 1 ? TILE_ROWS === 1 : true
}

export function matmulFragments(
  shape: MatmulShape,
  { SHUFFLE }: MatmulTuning,
): readonly Fragment[] {
  if (shape.x !== 'int8') return [SHUFFLE === 1 ? SHUFFLED : DIRECT, END, CORE]
  const { integers } = formatOf(shape.format)
  if (!integers) throw new Error(`${shape.format} has no integers to multiply.`)
  return [integers, SHUFFLE === 1 ? SHUFFLED_INT8 : DIRECT_INT8, END, CORE_INT8]
}

/** Row pairs of a part. */
export const pairsOf = (rows: number): number => Math.ceil(rows / 2)

export function matmulConsts(shape: MatmulShape, tuning: MatmulTuning): Record<string, number> {
  return {
    KB: Math.ceil(shape.columns / 32),
    ROW_BLOCKS: Math.ceil(shape.rows / 32),
    PAIR_START: shape.start,
    PAIR_END: shape.start + pairsOf(shape.rows),
    LANES: tuning.LANES,
    TILE_ROWS: tuning.TILE_ROWS,
    QUADS: tuning.QUADS,
    SPLIT: tuning.SPLIT,
  }
}

export function matmulDispatch(
  shape: MatmulShape,
  tuning: MatmulTuning,
): readonly [number, number, number] {
  // Row blocks of 32 rows are eight quads each.
  const quads = Math.ceil(shape.rows / 32) * 8
  return [
    Math.ceil(quads / (tuning.LANES * tuning.QUADS)),
    Math.ceil(shape.batch / tuning.TILE_ROWS),
    1,
  ]
}

/** Columns of an activation row in memory. */
export const paddedColumns = (columns: number): number => roundUp(columns, 32)

export const matmulCost = (shape: MatmulShape): { bytes: number; flops: number } => ({
  bytes: shape.batch * ((shape.x === 'int8' ? 2 : 4) * shape.columns + 4 * shape.rows),
  flops: 2 * shape.batch * shape.rows * shape.columns,
})

/** Random activations, zero in the padding; scaled so that products are about 1 for any number of columns. */
export function matmulInputs(
  shape: MatmulShape,
  random: Random,
): { x: Float32Array | Uint32Array } {
  const stride = paddedColumns(shape.columns)
  // Tiles may read rows past the batch: the buffer goes on to the end of the tile.
  const x = new Float32Array(roundUp(shape.batch, 8) * stride)
  for (let m = 0; m < shape.batch; m++) {
    for (let k = 0; k < shape.columns; k++)
      x[m * stride + k] = random.f32(3 / Math.sqrt(shape.columns))
  }
  if (shape.x !== 'int8') return { x }
  const words = int8RowWords(shape.columns)
  const packed = new Uint32Array(roundUp(shape.batch, 8) * words)
  for (let m = 0; m < shape.batch; m++) {
    packInt8Row(x.subarray(m * stride, (m + 1) * stride), shape.columns, packed, m * words)
  }
  return { x: packed }
}

/** The activations of a test as floats, whatever they were given as. */
export function activationsOf(shape: MatmulShape, x: Float32Array | Uint32Array): Float32Array {
  if (x instanceof Float32Array) return x
  const stride = paddedColumns(shape.columns)
  const floats = new Float32Array(shape.batch * stride)
  for (let m = 0; m < shape.batch; m++) {
    const at = m * int8RowWords(shape.columns)
    floats.set(unpackInt8Row(x, at, shape.columns), m * stride)
  }
  return floats
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
