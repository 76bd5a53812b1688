/** Norms of queries and keys, rotation and KV write, after a projection; see norm-rotate.wgsl. */
import { defineKernel, roundUp } from '../kernel.ts'
import { type KvType, kvTypes, reduceFragment, validSubgroup } from '../lib/fragments.ts'
import { paddedHalf } from '../lib/kv-layout.ts'
import { raggedRows } from '../lib/ragged-rows.ts'
import { headOutputs, putHead, rotaryInput, turned } from '../lib/rotation.ts'

export type NormRotateShape = {
  batch: number
  heads: number
  kvHeads: number
  headDim: number
  /** 1: over all heads of a kind together. */
  across: number
  eps: number
  kv: KvType
  /** Pages a sequence may have: the width of the page table. */
  pages: number
}
export type NormRotateTuning = { WG: number; SUBGROUP: number }

/** Pairs between rows of what is projected. */
const strideOf = (one: NormRotateShape): number =>
  roundUp((one.heads + 2 * one.kvHeads) * one.headDim, 32) / 2

const shape = (
  batch: number,
  heads: number,
  kvHeads: number,
  headDim: number,
  across: number,
  kv: KvType,
): NormRotateShape => ({ batch, heads, kvHeads, headDim, across, eps: 1e-6, kv, pages: 2 })

/** 1 / sqrt(mean + eps) of what head `head` of row `m` is normed with. */
function scaleOf(one: NormRotateShape, projected: Float32Array, m: number, head: number): number {
  const { heads, kvHeads, headDim } = one
  const [first, count] = one.across === 0 ? [head, 1] : head < heads ? [0, heads] : [heads, kvHeads]
  const from = m * strideOf(one) * 2 + first * headDim
  let sum = 0
  for (let i = 0; i < count * headDim; i++) sum += projected[from + i]! ** 2
  return 1 / Math.sqrt(sum / (count * headDim) + one.eps)
}

export const normRotate = defineKernel<NormRotateShape, NormRotateTuning>({
  name: 'norm-rotate',
  summary:
    'q, k = rms(q, k) * weight over a head or all heads, rotated by position; k, v into their page',
  wgsl: new URL('./norm-rotate.wgsl', import.meta.url),
  uses: ({ kv }, { WG, SUBGROUP }, caps) => [
    ...kvTypes[kv].store,
    reduceFragment(SUBGROUP, WG, caps),
  ],
  consts: (one, { WG }) => ({
    HEADS: one.heads,
    KV_HEADS: one.kvHeads,
    HALF: one.headDim / 2,
    HALF_PAD: paddedHalf(one.headDim),
    STRIDE: strideOf(one),
    ACROSS: one.across,
    EPS: one.eps,
    WG,
  }),
  dispatch: ({ batch, heads, kvHeads }) => [heads + 2 * kvHeads, batch],
  tune: { WG: [32, 64], SUBGROUP: [1, 0] },
  valid: (_, { WG, SUBGROUP }, caps) =>
    validSubgroup(SUBGROUP, caps) && (SUBGROUP === 0 || caps.subgroupMin <= WG),
  inputs: (one, random) => ({
    projected: random.floats(one.batch * strideOf(one) * 2, 2),
    weight: random.floats((one.heads + one.kvHeads) * one.headDim),
    rows: raggedRows(one.batch, 1, one.pages, random).rows,
    rotary: rotaryInput(one),
    ...headOutputs(one),
  }),
  oracle(one, io) {
    const { heads, kvHeads, headDim } = one
    const half = headDim / 2
    const projected = io.projected as Float32Array
    for (let m = 0; m < one.batch; m++) {
      const [, position, , at] = io.rows!.subarray(m * 4, m * 4 + 4) as Uint32Array
      if (at === 0) continue
      for (let head = 0; head < heads + 2 * kvHeads; head++) {
        const isNormed = head < heads + kvHeads
        const scale = isNormed ? scaleOf(one, projected, m, head) : 1
        const values = new Float64Array(headDim)
        for (let i = 0; i < half; i++) {
          const from = m * strideOf(one) * 2 + head * headDim + 2 * i
          const side = (s: 0 | 1): number =>
            projected[from + s]! * scale * (isNormed ? io.weight![head * headDim + 2 * i + s]! : 1)
          let pair: [number, number] = [side(0), side(1)]
          if (isNormed) pair = turned(one, io.rotary as Float32Array, position!, i, pair)
          ;[values[i], values[half + i]] = pair
        }
        putHead(one, io, m, head, at!, values)
      }
    }
  },
  packed: ({ kv }) => (kv === 'int8' ? { fresh: 'f32' } : { kv_cache: kv }),
  tolerance: 1e-5,
  cases: [
    shape(1, 4, 2, 16, 0, 'f32'),
    shape(5, 4, 1, 128, 0, 'f16'),
    shape(3, 3, 3, 20, 1, 'f32'),
    shape(2, 8, 2, 6, 1, 'int8'),
  ],
  bench: { 'qwen3 0.6b decode': shape(1, 16, 8, 128, 0, 'f16') },
  cost: ({ batch, heads, kvHeads, headDim }) => ({
    bytes: batch * (heads + 2 * kvHeads) * headDim * 8,
    flops: batch * (heads + kvHeads) * headDim * 8,
  }),
})
