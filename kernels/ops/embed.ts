/** Gathers embedding rows through their weight format; see embed.wgsl. */
import { defineKernel, roundUp } from '../kernel.ts'
import { pairsOf } from '../lib/matmul.ts'

/** `rows`, `columns` of the table or of its part from pair `start` on; `batch` tokens. */
export type EmbedShape = {
  format: string
  batch: number
  rows: number
  columns: number
  start: number
}
export type EmbedTuning = { WG: number }

/** Added to a place in `latest`: the token of a row is the id chosen there, which the host need not know yet. */
export const LATEST = 0x80000000

export const embed = defineKernel<EmbedShape, EmbedTuning>({
  name: 'embed',
  summary: 'y = W[token]',
  wgsl: new URL('./embed.wgsl', import.meta.url),
  weight: ({ format, rows, columns }) => ({ format, rows, columns }),
  consts: ({ rows, columns, start }, { WG }) => ({
    KB: Math.ceil(columns / 32),
    PAIR_START: start,
    PAIR_END: start + pairsOf(rows),
    WG,
  }),
  dispatch: ({ batch }) => [batch],
  tune: { WG: [64, 32] },
  valid: (_, { WG }, caps) => WG <= caps.maxInvocations,
  inputs({ batch, rows, columns, start }, random) {
    const tokens = new Uint32Array(batch * 4)
    const latest = new Uint32Array(batch)
    for (let r = 0; r < batch; r++) {
      const token = random.below(start * 2 + rows)
      // Every other token is one that an earlier dispatch chose.
      latest[batch - 1 - r] = token
      tokens.set([r % 2 === 0 ? token : (LATEST | (batch - 1 - r)) >>> 0, r, 0, 1], r * 4)
    }
    return { rows: tokens, latest, y: new Float32Array(batch * roundUp(columns, 32)) }
  },
  oracle({ batch, columns, start }, { rows, latest, y }, weight) {
    for (let r = 0; r < batch; r++) {
      const code = rows![r * 4]!
      const token = code >= LATEST ? latest![code - LATEST]! : code
      const row = token - start * 2
      if (row < 0) continue
      y!.set(weight.subarray(row * columns, (row + 1) * columns), r * roundUp(columns, 32))
    }
  },
  tolerance: 1e-6,
  cases: [
    { format: 'f32', batch: 1, rows: 64, columns: 64, start: 0 },
    { format: 'bf16', batch: 3, rows: 131, columns: 100, start: 0 },
    { format: 'f16', batch: 5, rows: 64, columns: 96, start: 32 },
    { format: 'affine8/32/f16', batch: 4, rows: 320, columns: 64, start: 0 },
    { format: 'affine4/64/bf16', batch: 2, rows: 70, columns: 128, start: 0 },
  ],
  bench: {
    'smollm2 q8 decode': {
      format: 'affine8/32/f16',
      batch: 1,
      rows: 49152,
      columns: 576,
      start: 0,
    },
  },
  cost: ({ batch, columns }) => ({ bytes: 8 * batch * columns, flops: batch * columns }),
})
