/** Causal attention over the paged KV cache with a running softmax; see attention.wgsl. */
import { defineKernel, roundUp } from '../kernel.ts'
import { type KvType, kvTypes } from '../lib/fragments.ts'
import {
  cacheArray,
  keyIndex,
  PAGE,
  paddedHalf,
  pairsPerPage,
  readPair,
  valueIndex,
  writePair,
} from '../lib/kv-layout.ts'
import { batchRows, positionOf, reversedTable } from './qkv.ts'

export type AttentionShape = {
  batch: number
  heads: number
  kvHeads: number
  headDim: number
  scale: number
  kv: KvType
  /** Pages a sequence may have: the width of the page table. */
  pages: number
}

export type AttentionTuning = { WG: number; TILE: number }

function shape(
  batch: number,
  heads: number,
  kvHeads: number,
  headDim: number,
  kv: KvType,
  pages = 2,
): AttentionShape {
  return { batch, heads, kvHeads, headDim, scale: headDim ** -0.5, kv, pages }
}

/** Values between rows of y: the input of the output projection. */
const strideOf = (one: AttentionShape): number => roundUp(one.heads * one.headDim, 32)

/** Scores, softmax and the weighted values of one head of one row, in float64. */
function attend(
  one: AttentionShape,
  io: Record<string, Float32Array | Uint32Array>,
  row: number,
  head: number,
): number[] {
  const half = one.headDim / 2
  const kvHead = Math.floor(head / (one.heads / one.kvHeads))
  const [, position, sequence] = io.rows!.subarray(row * 4, row * 4 + 3) as Uint32Array
  const places = Array.from({ length: position! + 1 }, (_, t) => ({
    page: io.page_table![sequence! * one.pages + Math.floor(t / PAGE)]!,
    token: t % PAGE,
  }))
  const scores = places.map(({ page, token }) => {
    let sum = 0
    for (let i = 0; i < half; i++) {
      const [a, b] = readPair(one.kv, io.kv_cache!, keyIndex(one, page, kvHead, token, i))
      const at = ((row * one.heads + head) * paddedHalf(one.headDim) + i) * 2
      sum += a * io.q![at]! + b * io.q![at + 1]!
    }
    return sum * one.scale
  })
  const top = Math.max(...scores)
  const weights = scores.map((score) => Math.exp(score - top))
  const total = weights.reduce((a, b) => a + b, 0)
  const out = new Array<number>(one.headDim).fill(0)
  places.forEach(({ page, token }, t) => {
    for (let i = 0; i < half; i++) {
      const [a, b] = readPair(one.kv, io.kv_cache!, valueIndex(one, page, kvHead, token, i))
      out[i]! += (weights[t]! / total) * a
      out[half + i]! += (weights[t]! / total) * b
    }
  })
  return out
}

export const attention = defineKernel<AttentionShape, AttentionTuning>({
  name: 'attention',
  summary: 'y = softmax(q kᵀ · scale, causal) v over pages, running softmax',
  wgsl: new URL('./attention.wgsl', import.meta.url),
  uses: ({ kv }) => [kvTypes[kv].load],
  consts: (one, { WG, TILE }) => ({
    HEADS: one.heads,
    KV_HEADS: one.kvHeads,
    GROUP: one.heads / one.kvHeads,
    HALF: one.headDim / 2,
    HALF_PAD: paddedHalf(one.headDim),
    SCALE: one.scale,
    MAX_PAGES: one.pages,
    Y_STRIDE: strideOf(one),
    WG,
    TILE,
  }),
  dispatch: ({ batch, kvHeads }) => [kvHeads, batch],
  tune: { WG: [32, 16, 64], TILE: [32, 64] },
  valid: ({ heads, kvHeads }, { WG, TILE }, caps) =>
    TILE % WG === 0 &&
    TILE <= 2 * WG &&
    WG <= caps.maxInvocations &&
    4 * (heads / kvHeads) * (TILE + WG + 3) <= caps.maxWorkgroupBytes,
  inputs(one, random) {
    const cachePairs = pairsPerPage(one) * 2 * one.pages
    const cache = cacheArray(one.kv, cachePairs)
    const half = one.headDim / 2
    for (let page = 0; page < 2 * one.pages; page++) {
      for (let head = 0; head < one.kvHeads; head++) {
        for (let token = 0; token < PAGE; token++) {
          for (let i = 0; i < half; i++) {
            writePair(
              one.kv,
              cache,
              keyIndex(one, page, head, token, i),
              random.f32(2),
              random.f32(2),
            )
            writePair(
              one.kv,
              cache,
              valueIndex(one, page, head, token, i),
              random.f32(),
              random.f32(),
            )
          }
        }
      }
    }
    const q = new Float32Array(one.batch * one.heads * paddedHalf(one.headDim) * 2)
    for (let h = 0; h < one.batch * one.heads; h++) {
      for (let i = 0; i < half * 2; i++) q[h * paddedHalf(one.headDim) * 2 + i] = random.f32(2)
    }
    return {
      q,
      rows: batchRows(one.batch, one.pages, random),
      page_table: reversedTable(one.pages),
      y: new Float32Array(one.batch * strideOf(one)),
      kv_cache: cache,
    }
  },
  oracle(one, io) {
    for (let row = 0; row < one.batch; row++) {
      if (io.rows![row * 4 + 3] === 0) continue
      for (let head = 0; head < one.heads; head++) {
        io.y!.set(attend(one, io, row, head), row * strideOf(one) + head * one.headDim)
      }
    }
  },
  packed: ({ kv }) => (kv === 'f16' ? ['kv_cache'] : []),
  tolerance: 2e-5,
  cases: [
    shape(1, 4, 2, 16, 'f32'),
    shape(5, 9, 3, 64, 'f16', 6),
    shape(3, 4, 4, 20, 'f32', 3),
    shape(2, 6, 1, 6, 'f16'),
    shape(2, 2, 1, 128, 'f16', 8),
  ],
  bench: {
    'smollm2 decode @512': { ...shape(1, 9, 3, 64, 'f16', 32) },
    'smollm2 prefill 64 @64': { ...shape(64, 9, 3, 64, 'f16', 8) },
  },
  cost: (one) => {
    let keys = 0
    for (let row = 0; row < Math.max(1, one.batch - 1); row++)
      keys += positionOf(row, one.pages) + 1
    return {
      bytes: (2 * one.kvHeads * keys * one.headDim * kvTypes[one.kv].pairBytes) / 2,
      flops: 4 * one.heads * keys * one.headDim,
    }
  },
})
