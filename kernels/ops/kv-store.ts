/** Fresh keys and values to int8, into their page; see kv-store.wgsl. Only for a KV cache of int8. */
import { defineKernel } from '../kernel.ts'
import { kvPage } from '../lib/fragments.ts'
import { PAGE, paddedHalf, pageWords, writeHead } from '../lib/kv-layout.ts'
import { raggedRows } from '../lib/ragged-rows.ts'

export type KvStoreShape = {
  batch: number
  kvHeads: number
  headDim: number
  /** Pages a sequence may have in a test. */
  pages: number
}
export type KvStoreTuning = { WG: number }

const layoutOf = (one: KvStoreShape) => ({ ...one, kv: 'int8' as const })

export const kvStore = defineKernel<KvStoreShape, KvStoreTuning>({
  name: 'kv-store',
  summary: 'k, v to int8 with a scale a head of a token, into their page',
  wgsl: new URL('./kv-store.wgsl', import.meta.url),
  uses: () => [kvPage],
  consts: ({ kvHeads, headDim }, { WG }) => ({
    KV_HEADS: kvHeads,
    HALF_PAD: paddedHalf(headDim),
    WG,
  }),
  dispatch: ({ batch, kvHeads }) => [2 * kvHeads, batch],
  tune: { WG: [8, 32] },
  inputs(one, random) {
    const padded = paddedHalf(one.headDim)
    const fresh = new Float32Array(one.batch * 2 * one.kvHeads * padded * 2)
    for (let head = 0; head < one.batch * 2 * one.kvHeads; head++) {
      // A head of zeros, too: its scale is 0.
      for (let i = 0; i < one.headDim; i++) fresh[head * padded * 2 + i] = random.f32(head % 5)
    }
    return {
      rows: raggedRows(one.batch, 1, one.pages, random).rows,
      fresh,
      kv_cache: new Uint32Array(pageWords(layoutOf(one)) * 2 * one.pages),
    }
  },
  oracle(one, io) {
    const half = one.headDim / 2
    for (let row = 0; row < one.batch; row++) {
      const at = io.rows![row * 4 + 3]! - 1
      if (at < 0) continue
      for (let head = 0; head < 2 * one.kvHeads; head++) {
        const from = (row * 2 * one.kvHeads + head) * paddedHalf(one.headDim)
        const values = Float64Array.from(
          { length: one.headDim },
          (_, d) => io.fresh![(from + (d % half)) * 2 + Math.floor(d / half)]!,
        )
        const part = head < one.kvHeads ? 0 : 1
        const place = { page: Math.floor(at / PAGE), token: at % PAGE, part } as const
        const cache = io.kv_cache as Uint32Array
        writeHead(layoutOf(one), cache, { ...place, head: head % one.kvHeads }, values)
      }
    }
  },
  packed: () => ({ kv_cache: 'int8' }),
  tolerance: 0,
  cases: [
    { batch: 1, kvHeads: 1, headDim: 16, pages: 2 },
    { batch: 5, kvHeads: 3, headDim: 64, pages: 4 },
    { batch: 3, kvHeads: 2, headDim: 20, pages: 2 },
    { batch: 2, kvHeads: 1, headDim: 128, pages: 2 },
  ],
  bench: { 'smollm2 decode': { batch: 1, kvHeads: 3, headDim: 64, pages: 2 } },
  cost: ({ batch, kvHeads, headDim }) => ({
    bytes: batch * 2 * kvHeads * headDim * 5,
    flops: batch * 2 * kvHeads * headDim * 3,
  }),
})
