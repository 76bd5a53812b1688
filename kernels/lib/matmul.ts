/** What every kernel over `matmul.wgsl` shares: its tile space, constants, fragments and dispatch. */
import { formatOf } from '../formats/index.ts'
import type { Capabilities } from '../gpu/capabilities.ts'
import { type Forms, type Fragment, roundUp } from '../kernel.ts'
import { overEight, sums } from './fragments.ts'
import { int8RowWords } from './int8-rows.ts'
import { leftRowFloats } from './left-rows.ts'

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
  /** Of an RMS norm: activations come as linear-norm and rms-norm-left leave them; already normed where it is not said. */
  eps?: number
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
  /**
   * Workgroups, about, that take turns at a step's quads and stage activations in their memory; 0: each has quads of its own,
   * and nothing is staged.
   */
  TURNS: number
}

const file = (name: string): Fragment => ({ wgsl: new URL(name, import.meta.url) })
const PAIRS = file('./store-pairs.wgsl')
const NO_FACTOR = file('./factor-none.wgsl')
/**
 * What is left of an RMS norm: worked out in steps of one row, where no dispatch did it, by each invocation or across eight
 * of them, and else as a norm left it.
 */
const FACTORS = {
  f32: {
    alone: [file('./factor-squares-f32.wgsl')],
    across: [overEight, file('./factor-across-f32.wgsl')],
    left: [file('./factor-left-f32.wgsl')],
  },
  int8: {
    alone: [file('./factor-squares-int8.wgsl')],
    across: [overEight, file('./factor-across-int8.wgsl')],
    left: [file('./factor-left-int8.wgsl')],
  },
} as const
const CORE = file('./matmul.wgsl')
const ONCE = file('./matmul-once.wgsl')
const TURNS = file('./matmul-turns.wgsl')
const END = file('./matmul-end.wgsl')
const WHOLE = file('./tile-whole.wgsl')
const IN_RUNS = file('./tile-split.wgsl')
const DIRECT = file('./x-direct.wgsl')
const SHUFFLED: Fragment = { ...file('./x-subgroup.wgsl'), enables: ['subgroups'] }
const CORE_INT8 = file('./matmul-int8.wgsl')
const DIRECT_INT8 = file('./x-int8-direct.wgsl')
const SHUFFLED_INT8: Fragment = { ...file('./x-int8-subgroup.wgsl'), enables: ['subgroups'] }

/** Most activation rows of a tile: buffers go on to a multiple of it. */
export const ROW_TILE = 8
/** Rows of a matrix that keep the threads of a CPU busy in workgroups of 128: those of a head. */
const TALL = 2 ** 13
/** Most activation rows of the form for several. */
export const SEVERAL_ROWS = 4

export const matmulTune = {
  LANES: [8, 32],
  TILE_ROWS: [1, SEVERAL_ROWS, ROW_TILE],
  QUADS: [1, 2],
  SPLIT: [1, 16, 4],
  SHUFFLE: [1, 0],
  TURNS: [0, 16, 64],
} as const satisfies { [K in keyof MatmulTuning]: readonly number[] }

/** See `Kernel.order`. */
export const matmulOrder = ['SPLIT'] as const

/**
 * Tiles of a product over one row, over several or over many. On a CPU adapter an invocation sums whole rows and activations
 * go round by shuffles; on a GPU the columns are cut into runs, so that more invocations work at once. `SPLIT` does not
 * depend on `batch`: it decides the order of the sum.
 */
export function soundMatmul(shape: MatmulShape, caps: Capabilities): MatmulTuning {
  const { batch, x } = shape
  const split = caps.software ? 1 : 16
  const shuffle = split === 1 && caps.subgroupMin >= 8 ? 1 : 0
  // On a CPU, eight rows pay where shuffles read them together; activations of eight bits are few to read as it is.
  const isTall = !caps.software || (batch > SEVERAL_ROWS && shuffle === 1 && x !== 'int8')
  const rows = batch === 1 ? 1 : isTall ? ROW_TILE : SEVERAL_ROWS
  // What a workgroup costs by itself counts where a row is all there is, and many can still share out a tall matrix.
  const lanes = caps.software && batch === 1 && shape.rows >= TALL ? 32 : 8
  // On a CPU, a second quad pays for tall tiles of weights that are few words.
  const isWide = caps.software && isTall && formatOf(shape.format).consts.UNITS! <= 4
  const sound = {
    LANES: lanes,
    SPLIT: split,
    SHUFFLE: shuffle,
    QUADS: isWide ? 2 : 1,
    TILE_ROWS: rows,
    TURNS: 0,
  }
  const turns = { ...sound, TURNS: 16 }
  return isTall && validMatmul(shape, turns, caps) ? turns : sound
}

export const matmulForms = <S extends MatmulShape>(shape: S, rows: number): Forms<S> => ({
  one: { ...shape, batch: 1 },
  several: { ...shape, batch: SEVERAL_ROWS },
  many: { ...shape, batch: rows },
})

export function validMatmul(shape: MatmulShape, tuning: MatmulTuning, caps: Capabilities): boolean {
  const { LANES, TILE_ROWS, QUADS, SPLIT, SHUFFLE, TURNS: turns } = tuning
  if (shape.x === 'int8' && !formatOf(shape.format).integers) return false
  if (SHUFFLE === 1 && (caps.subgroupMin < 8 || SPLIT > 1)) return false
  if (LANES * SPLIT > Math.min(128, caps.maxInvocations)) return false
  if (SPLIT > 1 && ((LANES === 8 && SPLIT === 4) || TILE_ROWS === 4)) return false
  if (QUADS > 1 && (TILE_ROWS === 1 || LANES > 8 || shape.x === 'int8')) return false
  if (turns > 0 && !(caps.software && validTurns(shape, tuning))) return false
  if (workgroupBytes(shape, tuning) > caps.maxWorkgroupBytes) return false
  return shape.batch === 1 ? TILE_ROWS === 1 : true
}

/** For kernels that store pairs. */
export function matmulFragments(shape: MatmulShape, tuning: MatmulTuning): readonly Fragment[] {
  const { x = 'f32', batch, eps } = shape
  const { alone, across, left } = FACTORS[x]
  const norm = batch > 1 ? left : tuning.SHUFFLE === 1 ? across : alone
  return [...quadFragments(shape, tuning), ...(eps === undefined ? [NO_FACTOR] : norm), PAIRS]
}

/** For kernels that store quads. */
export function quadFragments(
  shape: MatmulShape,
  { SHUFFLE, SPLIT, TURNS: turns }: MatmulTuning,
): readonly Fragment[] {
  const end = [sums, END, SPLIT > 1 ? IN_RUNS : WHOLE]
  if (shape.x !== 'int8')
    return [SHUFFLE === 1 ? SHUFFLED : DIRECT, ...end, CORE, turns > 0 ? TURNS : ONCE]
  const { integers } = formatOf(shape.format)
  if (!integers) throw new Error(`${shape.format} has no integers to multiply.`)
  return [integers, SHUFFLE === 1 ? SHUFFLED_INT8 : DIRECT_INT8, ...end, CORE_INT8]
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
    X_ROW: shape.x === 'int8' ? int8RowWords(shape.columns) / 2 : rowFloats(shape) / 4,
    ...(shape.eps === undefined ? {} : { DIM: shape.columns, EPS: shape.eps }),
  }
}

/** Floats of a row of activations in f32. */
export const rowFloats = ({ columns, eps }: Pick<MatmulShape, 'columns' | 'eps'>): number =>
  eps === undefined ? paddedColumns(columns) : leftRowFloats(columns)

export function matmulDispatch(
  shape: MatmulShape,
  tuning: MatmulTuning,
): readonly [number, number, number] {
  // Row blocks of 32 rows are eight quads each.
  const quads = Math.ceil(shape.rows / 32) * 8
  const items = Math.ceil(quads / (tuning.LANES * tuning.QUADS))
  const tiles = Math.ceil(shape.batch / tuning.TILE_ROWS)
  return [tuning.TURNS > 0 ? inTurn(items, tuning.TURNS / tiles) : items, tiles, 1]
}

/** Workgroups of a tile that take turns at `items`: about `wanted`, none with a turn less where all can have as many. */
const inTurn = (items: number, wanted: number): number =>
  Math.ceil(items / Math.ceil(items / Math.min(items, Math.ceil(wanted))))

/** What matmul-turns.wgsl is written for. */
const validTurns = ({ batch, x }: MatmulShape, tuning: MatmulTuning): boolean =>
  batch > SEVERAL_ROWS &&
  x !== 'int8' &&
  tuning.SHUFFLE === 1 &&
  tuning.LANES === 8 &&
  tuning.TILE_ROWS === ROW_TILE

/** Of a tile's sums; where workgroups take turns also of its activations, and of which turns these are. */
function workgroupBytes(shape: MatmulShape, tuning: MatmulTuning): number {
  const { SPLIT, LANES, QUADS, TILE_ROWS, TURNS: turns } = tuning
  const partial = SPLIT * LANES * QUADS * TILE_ROWS * 16
  return turns > 0 ? partial + TILE_ROWS * paddedColumns(shape.columns) * 4 + 16 : partial
}

/** Columns of an activation row in memory. */
export const paddedColumns = (columns: number): number => roundUp(columns, 32)

export const matmulCost = (shape: MatmulShape): { bytes: number; flops: number } => ({
  bytes: shape.batch * ((shape.x === 'int8' ? 2 : 4) * shape.columns + 4 * shape.rows),
  flops: 2 * shape.batch * shape.rows * shape.columns,
})
