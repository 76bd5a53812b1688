/** Query, key and value projections with rotation and KV write, in one kernel; see qkv.wgsl. */
import { defineKernel, type Random } from '../kernel.ts'
import { type KvType, kvTypes } from '../lib/fragments.ts'
import {
  cacheArray,
  keyIndex,
  PAGE,
  paddedHalf,
  pairsPerPage,
  valueIndex,
  writePair,
} from '../lib/kv-layout.ts'
import {
  type MatmulShape,
  type MatmulTuning,
  matmulConsts,
  matmulCost,
  matmulDispatch,
  matmulFragments,
  matmulInputs,
  matmulTune,
  product,
  validMatmul,
} from '../lib/matmul.ts'

/** Weight row 2p is dimension i of its head and row 2p + 1 dimension i + headDim / 2, with p = head * headDim / 2 + i. */
export type QkvShape = MatmulShape & {
  heads: number
  kvHeads: number
  headDim: number
  kv: KvType
  /** Pages a sequence may have: the width of the page table. */
  pages: number
}

function shape(
  format: string,
  batch: number,
  columns: number,
  heads: number,
  kvHeads: number,
  headDim: number,
  kv: KvType,
  pages = 2,
): QkvShape {
  return {
    format,
    batch,
    rows: (heads + 2 * kvHeads) * headDim,
    columns,
    start: 0,
    heads,
    kvHeads,
    headDim,
    kv,
    pages,
  }
}

/** The identity backwards: every page somewhere else than its number says. */
export const reversedTable = (pages: number): Uint32Array =>
  Uint32Array.from({ length: 2 * pages }, (_, i) => 2 * pages - 1 - i)

/** Positions of test rows: the first at the end of the table's reach, the others spread below it. */
export const positionOf = (row: number, pages: number): number =>
  pages * PAGE - 1 - ((row * 7) % (pages * PAGE))

/** Rows of two sequences, the last one dead where there are several. */
export function batchRows(batch: number, pages: number, random: Random): Uint32Array {
  const rows = new Uint32Array(batch * 4)
  for (let r = 0; r < batch; r++) {
    const position = positionOf(r, pages)
    const page = reversedTable(pages)[(r % 2) * pages + Math.floor(position / PAGE)]!
    const live = r === 0 || r < batch - 1
    rows.set(
      [random.below(100), position, r % 2, live ? page * PAGE + (position % PAGE) + 1 : 0],
      r * 4,
    )
  }
  return rows
}

export const qkv = defineKernel<QkvShape, MatmulTuning>({
  name: 'qkv',
  summary: 'q, k, v = x Wᵀ + bias; q, k rotated by position; k, v into their page',
  wgsl: new URL('./qkv.wgsl', import.meta.url),
  weight: ({ format, rows, columns }) => ({ format, rows, columns }),
  uses: ({ kv }, tuning) => [kvTypes[kv].store, ...matmulFragments(tuning)],
  consts: (one, tuning) => ({
    ...matmulConsts(one, tuning),
    HEADS: one.heads,
    KV_HEADS: one.kvHeads,
    HALF: one.headDim / 2,
    HALF_PAD: paddedHalf(one.headDim),
  }),
  dispatch: matmulDispatch,
  tune: matmulTune,
  valid: validMatmul,
  inputs(one, random) {
    const half = one.headDim / 2
    const rotary = new Float32Array(one.pages * PAGE * half * 2)
    for (let p = 0; p < one.pages * PAGE; p++) {
      for (let i = 0; i < half; i++) {
        const angle = p / 100 ** (i / half)
        rotary.set([Math.cos(angle), Math.sin(angle)], (p * half + i) * 2)
      }
    }
    const pairs = pairsPerPage(one) * 2 * one.pages
    return {
      ...matmulInputs(one, random),
      bias: random.floats(one.rows),
      rows: batchRows(Math.ceil(one.batch / 8) * 8, one.pages, random).fill(0, one.batch * 4),
      rotary,
      q: new Float32Array(one.batch * one.heads * paddedHalf(one.headDim) * 2),
      kv_cache: cacheArray(one.kv, pairs),
    }
  },
  oracle(one, io, weight) {
    const half = one.headDim / 2
    for (let m = 0; m < one.batch; m++) {
      const [, position, , slot] = io.rows!.subarray(m * 4, m * 4 + 4) as Uint32Array
      if (slot === 0) continue
      const page = Math.floor((slot! - 1) / PAGE)
      const token = (slot! - 1) % PAGE
      for (let p = 0; p < one.rows / 2; p++) {
        const head = Math.floor(p / half)
        const i = p % half
        let a = product(one, io.x as Float32Array, weight, m, 2 * p) + io.bias![2 * p]!
        let b = product(one, io.x as Float32Array, weight, m, 2 * p + 1) + io.bias![2 * p + 1]!
        if (head < one.heads + one.kvHeads) {
          const [cos, sin] = io.rotary!.subarray((position! * half + i) * 2) as Float32Array
          ;[a, b] = [a * cos! - b * sin!, b * cos! + a * sin!]
        }
        const kvHead = head - one.heads
        if (kvHead < 0) {
          const at = (m * one.heads + head) * paddedHalf(one.headDim) + i
          io.q!.set([a, b], at * 2)
        } else if (kvHead < one.kvHeads) {
          writePair(one.kv, io.kv_cache!, keyIndex(one, page, kvHead, token, i), a, b)
        } else {
          writePair(
            one.kv,
            io.kv_cache!,
            valueIndex(one, page, kvHead - one.kvHeads, token, i),
            a,
            b,
          )
        }
      }
    }
  },
  packed: ({ kv }) => (kv === 'f16' ? ['kv_cache'] : []),
  tolerance: 3e-5,
  cases: [
    shape('f32', 1, 64, 4, 2, 16, 'f32'),
    shape('bf16', 5, 64, 4, 4, 16, 'f16'),
    shape('affine4/32/f16', 1, 96, 3, 1, 64, 'f16'),
    shape('f16', 3, 40, 2, 1, 6, 'f32'),
    shape('f32', 2, 32, 1, 1, 20, 'f16'),
  ],
  bench: {
    'smollm2 q4 decode': shape('affine4/32/f16', 1, 576, 9, 3, 64, 'f16', 64),
    'smollm2 bf16 decode': shape('bf16', 1, 576, 9, 3, 64, 'f16', 64),
    'smollm2 q4 prefill': shape('affine4/32/f16', 64, 576, 9, 3, 64, 'f16', 64),
  },
  cost: matmulCost,
})
