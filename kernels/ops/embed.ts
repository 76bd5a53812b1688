/** Gathers embedding rows through their weight format; see embed.wgsl. */
import { defineKernel, roundUp } from '../kernel.ts'
import { positionsFragment } from '../lib/fragments.ts'
import { pairsOf } from '../lib/matmul.ts'

/** `rows`, `columns` of the table or of its part from pair `start` on; `batch` tokens. */
export type EmbedShape = {
  format: string
  batch: number
  rows: number
  columns: number
  start: number
  /** Factor on what was gathered. */
  scale: number
  /** 1: an embedding of the row's position is added. */
  positions: number
}
export type EmbedTuning = { WG: number }

/** Added to a place in `latest`: the token of a row is the id chosen there, which the host need not know yet. */
export const LATEST = 0x80000000

const shape = (format: string, batch: number, rows: number, columns: number): EmbedShape => ({
  format,
  batch,
  rows,
  columns,
  start: 0,
  scale: 1,
  positions: 0,
})

export const embed = defineKernel<EmbedShape, EmbedTuning>({
  name: 'embed',
  summary: 'y = W[token] · scale (+ P[position])',
  wgsl: new URL('./embed.wgsl', import.meta.url),
  weight: ({ format, rows, columns }) => ({ format, rows, columns }),
  uses: ({ positions }) => [positionsFragment(positions === 1)],
  consts: ({ rows, columns, start, scale }, { WG }) => ({
    KB: Math.ceil(columns / 32),
    PAIR_START: start,
    PAIR_END: start + pairsOf(rows),
    SCALE: scale,
    WG,
  }),
  dispatch: ({ batch }) => [batch],
  tune: { WG: [64, 32] },
  valid: (_, { WG }, caps) => WG <= caps.maxInvocations,
  inputs({ batch, rows, columns, start, positions }, random) {
    const tokens = new Uint32Array(batch * 4)
    const latest = new Uint32Array(batch)
    for (let r = 0; r < batch; r++) {
      const token = random.below(start * 2 + rows)
      // Every other token is one that an earlier dispatch chose.
      latest[batch - 1 - r] = token
      tokens.set([r % 2 === 0 ? token : (LATEST | (batch - 1 - r)) >>> 0, r, 0, 1], r * 4)
    }
    const stride = roundUp(columns, 32)
    const table = new Float32Array(positions * batch * stride)
    for (let r = 0; r < positions * batch; r++) table.set(random.floats(columns), r * stride)
    const y = new Float32Array(batch * stride)
    return { rows: tokens, latest, y, ...(positions ? { positions: table } : {}) }
  },
  oracle({ batch, columns, start, scale }, { rows, latest, y, positions }, weight) {
    const stride = roundUp(columns, 32)
    for (let r = 0; r < batch; r++) {
      const code = rows![r * 4]!
      const token = code >= LATEST ? latest![code - LATEST]! : code
      const row = token - start * 2
      if (row < 0) continue
      for (let i = 0; i < columns; i++) {
        const added = positions ? positions[rows![r * 4 + 1]! * stride + i]! : 0
        y![r * stride + i] = weight[row * columns + i]! * scale + added
      }
    }
  },
  tolerance: 1e-6,
  cases: [
    shape('f32', 1, 64, 64),
    shape('bf16', 3, 131, 100),
    { ...shape('f16', 5, 64, 96), start: 32 },
    shape('affine8/32/f16', 4, 320, 64),
    { ...shape('affine4/64/bf16', 2, 70, 128), scale: 6.5 },
    { ...shape('f32', 3, 70, 36), positions: 1 },
  ],
  bench: {
    'smollm2 q8 decode': shape('affine8/32/f16', 1, 49152, 576),
  },
  cost: ({ batch, columns }) => ({ bytes: 8 * batch * columns, flops: batch * columns }),
})
