/** Layer norm of rows; see layer-norm.wgsl. */
import { defineKernel, roundUp } from '../kernel.ts'
import { reduceFragment, validSubgroup } from '../lib/fragments.ts'

export type LayerNormShape = { rows: number; columns: number; eps: number }
export type LayerNormTuning = { WG: number; SUBGROUP: number }

export const layerNorm = defineKernel<LayerNormShape, LayerNormTuning>({
  name: 'layer-norm',
  summary: 'y = (x - mean(x)) / sqrt(var(x) + eps) * weight + bias',
  wgsl: new URL('./layer-norm.wgsl', import.meta.url),
  uses: (_, { WG, SUBGROUP }, caps) => [reduceFragment(SUBGROUP, WG, caps)],
  consts: ({ columns, eps }, { WG }) => ({
    DIM: columns,
    STRIDE4: roundUp(columns, 32) / 4,
    EPS: eps,
    WG,
  }),
  dispatch: ({ rows }) => [rows],
  tune: { WG: [64, 256], SUBGROUP: [1, 0] },
  valid: (_, { WG, SUBGROUP }, caps) =>
    WG <= caps.maxInvocations &&
    validSubgroup(SUBGROUP, caps) &&
    (SUBGROUP === 0 || caps.subgroupMin <= WG),
  inputs({ rows, columns }, random) {
    const stride = roundUp(columns, 32)
    const padded = (count: number, of: () => number): Float32Array =>
      Float32Array.from({ length: count * stride }, (_, i) => (i % stride < columns ? of() : 0))
    return {
      // Far from zero: a mean that is taken off late would show.
      x: padded(rows + 1, () => random.f32(3) + 5),
      weight: padded(1, () => random.f32()),
      bias: padded(1, () => random.f32()),
      source: Uint32Array.from({ length: rows }, (_, r) => rows - r),
      y: new Float32Array(rows * stride),
    }
  },
  oracle({ rows, columns, eps }, { x, weight, bias, source, y }) {
    const stride = roundUp(columns, 32)
    for (let r = 0; r < rows; r++) {
      const row = Float64Array.from(x!.subarray(source![r]! * stride).subarray(0, columns))
      const mean = row.reduce((a, b) => a + b, 0) / columns
      const variance = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / columns
      const scale = 1 / Math.sqrt(variance + eps)
      row.forEach((v, i) => {
        y![r * stride + i] = (v - mean) * scale * weight![i]! + bias![i]!
      })
    }
  },
  tolerance: 1e-5,
  cases: [
    { rows: 1, columns: 64, eps: 1e-5 },
    { rows: 3, columns: 768, eps: 1e-5 },
    { rows: 2, columns: 98, eps: 1e-6 },
  ],
  bench: { 'gpt2 decode': { rows: 1, columns: 768, eps: 1e-5 } },
  cost: ({ rows, columns }) => ({ bytes: 4 * (2 * rows + 2) * columns, flops: 7 * rows * columns }),
})
