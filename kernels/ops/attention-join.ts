/** Adds up what attention's spans left of a row where each had a workgroup; see attention-join.wgsl. */
import { defineKernel, type Kernel, roundUp } from '../kernel.ts'
import { reachFragment, spans, storeHeads } from '../lib/fragments.ts'
import { paddedHalf } from '../lib/kv-layout.ts'
import { partialFloats, SPAN, spansAt, spansOf } from '../lib/spans.ts'
import { setPartial } from './attention-oracle.ts'

export type AttentionJoinShape = {
  /** Activation rows. */
  batch: number
  heads: number
  headDim: number
  /** Pages a sequence may have. */
  pages: number
  /** Keys that a query sees, its own included; 0: all. */
  window: number
}

const strideOf = (one: AttentionJoinShape): number => roundUp(one.heads * one.headDim, 32)

/** Rows end at the reach of the pages and, by turns, some keys before it. */
const positionOf = (one: AttentionJoinShape, row: number): number =>
  one.pages * 16 - 1 - ((row * 200) % (one.pages * 16))

export const attentionJoin: Kernel<AttentionJoinShape, Record<never, number>> = defineKernel<
  AttentionJoinShape,
  Record<never, number>
>({
  name: 'attention-join',
  summary:
    'y = Σ over spans exp(top − highest) sum v / Σ exp(top − highest) sum, where a row has several',
  wgsl: new URL('./attention-join.wgsl', import.meta.url),
  uses: ({ headDim, window }) => [spans, storeHeads(headDim), reachFragment(window)],
  consts: (one) => ({
    HEADS: one.heads,
    HALF: one.headDim / 2,
    HALF_PAD: paddedHalf(one.headDim),
    Y_STRIDE: strideOf(one),
    SPAN,
    SPANS: spansOf(one),
    ...(one.window > 0 ? { WINDOW: one.window } : {}),
  }),
  dispatch: (one) => [one.heads, one.batch],
  tune: {},
  inputs(one, random) {
    const rows = new Uint32Array(one.batch * 4)
    const floats = partialFloats(paddedHalf(one.headDim))
    const partials = new Float32Array(one.batch * one.heads * spansOf(one) * floats)
    for (let row = 0; row < one.batch; row++) {
      rows[row * 4 + 1] = positionOf(one, row)
      for (let place = 0; place < one.heads * spansOf(one); place++) {
        const [top, sum] = [random.f32(3), 2 + random.f32(1)]
        const values = Float64Array.from(random.floats(one.headDim))
        setPartial(partials, row * one.heads * spansOf(one) + place, { top, sum, values })
      }
    }
    return { rows, partials, y: new Float32Array(one.batch * strideOf(one)) }
  },
  oracle(one, io) {
    const { heads, headDim } = one
    const half = headDim / 2
    const floats = partialFloats(paddedHalf(headDim))
    for (let row = 0; row < one.batch; row++) {
      const { from, to } = spansAt(io.rows![row * 4 + 1]!, one.window)
      for (let head = 0; head < heads && to > from; head++) {
        const all = Array.from({ length: to - from + 1 }, (_, span) =>
          io.partials!.subarray(((row * heads + head) * spansOf(one) + span) * floats),
        )
        const top = Math.max(...all.map(([highest]) => highest!))
        const weights = all.map(([highest, sum]) => Math.exp(highest! - top) * sum!)
        const total = weights.reduce((a, b) => a + b, 0)
        for (let d = 0; d < headDim; d++) {
          const at = 4 + (d % half) * 2 + Math.floor(d / half)
          const value = all.reduce((sum, one, i) => sum + weights[i]! * one[at]!, 0) / total
          io.y![row * strideOf(one) + head * headDim + d] = value
        }
      }
    }
  },
  tolerance: 1e-5,
  cases: [
    { batch: 3, heads: 2, headDim: 16, pages: 40, window: 0 },
    { batch: 2, heads: 3, headDim: 20, pages: 33, window: 0 },
    { batch: 3, heads: 1, headDim: 128, pages: 70, window: 300 },
  ],
  bench: {
    'smollm2 decode @2048': { batch: 1, heads: 9, headDim: 64, pages: 128, window: 0 },
  },
  cost(one) {
    const floats = partialFloats(paddedHalf(one.headDim))
    const read = one.batch * one.heads * spansOf(one)
    return { bytes: read * floats * 4, flops: read * one.headDim * 2 }
  },
})
