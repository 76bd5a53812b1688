/** Query, key and value projections with rotation and KV write, in one kernel; see qkv.wgsl. */
import { defineKernel } from '../kernel.ts'
import { type KvType, kvTypes } from '../lib/fragments.ts'
import { paddedHalf } from '../lib/kv-layout.ts'
import {
  type MatmulShape,
  type MatmulTuning,
  matmulConsts,
  matmulCost,
  matmulDispatch,
  matmulForms,
  matmulFragments,
  matmulOrder,
  matmulTune,
  soundMatmul,
  validMatmul,
} from '../lib/matmul.ts'
import { activationsOf, matmulInputs, product } from '../lib/matmul-oracle.ts'
import { raggedRows } from '../lib/ragged-rows.ts'
import { headOutputs, putHead, rotaryInput, turned } from '../lib/rotation.ts'

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

/** One head of a row, rotated where it is a query or a key: [headDim]. */
function project(
  one: QkvShape,
  io: Record<string, Float32Array | Uint32Array>,
  x: Float32Array,
  weight: Float32Array,
  m: number,
  head: number,
  position: number,
): Float64Array {
  const half = one.headDim / 2
  const values = new Float64Array(one.headDim)
  for (let i = 0; i < half; i++) {
    const p = head * half + i
    let a = product(one, x, weight, m, 2 * p) + io.bias![2 * p]!
    let b = product(one, x, weight, m, 2 * p + 1) + io.bias![2 * p + 1]!
    if (head < one.heads + one.kvHeads) {
      ;[a, b] = turned(one, io.rotary as Float32Array, position, i, [a, b])
    }
    values[i] = a
    values[half + i] = b
  }
  return values
}

export const qkv = defineKernel<QkvShape, MatmulTuning>({
  name: 'qkv',
  summary: 'q, k, v = x Wᵀ + bias; q, k rotated by position; k, v into their page',
  wgsl: new URL('./qkv.wgsl', import.meta.url),
  weight: ({ format, rows, columns }) => ({ format, rows, columns }),
  uses: (one, tuning) => [...kvTypes[one.kv].store, ...matmulFragments(one, tuning)],
  consts: (one, tuning) => ({
    ...matmulConsts(one, tuning),
    HEADS: one.heads,
    KV_HEADS: one.kvHeads,
    HALF: one.headDim / 2,
    HALF_PAD: paddedHalf(one.headDim),
  }),
  dispatch: matmulDispatch,
  tune: matmulTune,
  order: matmulOrder,
  sound: soundMatmul,
  forms: matmulForms,
  valid: validMatmul,
  inputs: (one, random) => ({
    ...matmulInputs(one, random),
    bias: random.floats(one.rows),
    rows: raggedRows(one.batch, 1, one.pages, random).rows,
    rotary: rotaryInput(one),
    ...headOutputs(one),
  }),
  oracle(one, io, weight) {
    const x = activationsOf(one, io.x!)
    for (let m = 0; m < one.batch; m++) {
      const [, position, , at] = io.rows!.subarray(m * 4, m * 4 + 4) as Uint32Array
      if (at === 0) continue
      for (let head = 0; head < one.heads + 2 * one.kvHeads; head++) {
        putHead(one, io, m, head, at!, project(one, io, x, weight, m, head, position!))
      }
    }
  },
  packed: ({ kv }) => (kv === 'int8' ? { fresh: 'f32' } : { kv_cache: kv }),
  tolerance: 3e-5,
  cases: [
    shape('f32', 1, 64, 4, 2, 16, 'f32'),
    shape('bf16', 5, 64, 4, 4, 16, 'f16'),
    shape('affine4/32/f16', 1, 96, 3, 1, 64, 'f16'),
    { ...shape('affine4/32/f16', 2, 96, 3, 1, 64, 'f16'), x: 'int8' },
    { ...shape('affine4/32/f16', 2, 96, 3, 1, 64, 'f16'), eps: 1e-5 },
    { ...shape('affine4/32/f16', 1, 96, 3, 1, 64, 'f16'), x: 'int8', eps: 1e-5 },
    shape('f16', 3, 40, 2, 1, 6, 'f32'),
    shape('f32', 2, 32, 1, 1, 20, 'f16'),
    shape('f32', 9, 32, 2, 1, 20, 'int8'),
  ],
  bench: {
    'smollm2 q4 decode': shape('affine4/32/f16', 1, 576, 9, 3, 64, 'f16', 64),
    'smollm2 q4 decode, int8': {
      ...shape('affine4/32/f16', 1, 576, 9, 3, 64, 'f16', 64),
      x: 'int8',
    },
    'smollm2 bf16 decode': shape('bf16', 1, 576, 9, 3, 64, 'f16', 64),
    'smollm2 q4 prefill': shape('affine4/32/f16', 64, 576, 9, 3, 64, 'f16', 64),
  },
  cost: matmulCost,
})
