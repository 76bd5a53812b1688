/** Root-mean-square norm of rows; see rms-norm.wgsl. */
import { defineKernel, roundUp } from '../kernel.ts'
import { reduceFragment, validSubgroup } from '../lib/fragments.ts'

/** `add` 1: added to what y holds. */
export type RmsNormShape = { rows: number; columns: number; eps: number; add: number }
export type RmsNormTuning = { WG: number; SUBGROUP: number }

export const rmsNorm = defineKernel<RmsNormShape, RmsNormTuning>({
  name: 'rms-norm',
  summary: 'y = x * weight / sqrt(mean(x²) + eps), or added to y',
  wgsl: new URL('./rms-norm.wgsl', import.meta.url),
  uses: (_, { WG, SUBGROUP }, caps) => [reduceFragment(SUBGROUP, WG, caps)],
  consts: ({ columns, eps, add }, { WG }) => ({
    DIM: columns,
    STRIDE4: roundUp(columns, 32) / 4,
    EPS: eps,
    ADD: add,
    WG,
  }),
  dispatch: ({ rows }) => [rows],
  // A subgroup a row on a CPU adapter, where barriers are dear.
  tune: { WG: [8, 4, 64, 32, 128, 256], SUBGROUP: [1, 0] },
  valid: (_, { WG, SUBGROUP }, caps) =>
    WG <= caps.maxInvocations &&
    validSubgroup(SUBGROUP, caps) &&
    (SUBGROUP === 0 || caps.subgroupMin <= WG) &&
    (WG > 8 || (SUBGROUP === 1 && caps.software && WG === caps.subgroupMin)),
  inputs({ rows, columns }, random) {
    const stride = roundUp(columns, 32)
    const x = new Float32Array((rows + 1) * stride)
    const weight = new Float32Array(stride)
    for (let i = 0; i < columns; i++) weight[i] = random.f32()
    for (let r = 0; r <= rows; r++) {
      for (let i = 0; i < columns; i++) x[r * stride + i] = random.f32(3)
    }
    const source = Uint32Array.from({ length: rows }, (_, r) => rows - r)
    return { x, weight, source, y: random.floats(rows * stride) }
  },
  oracle({ rows, columns, eps, add }, { x, weight, source, y }) {
    const stride = roundUp(columns, 32)
    for (let r = 0; r < rows; r++) {
      const from = source![r]! * stride
      let sum = 0
      for (let i = 0; i < columns; i++) sum += x![from + i]! ** 2
      const scale = 1 / Math.sqrt(sum / columns + eps)
      for (let i = 0; i < stride; i++) {
        const value = x![from + i]! * scale * weight![i]!
        y![r * stride + i] = add === 1 ? y![r * stride + i]! + value : value
      }
    }
  },
  tolerance: 4e-6,
  cases: [
    { rows: 1, columns: 64, eps: 1e-5, add: 0 },
    { rows: 3, columns: 576, eps: 1e-5, add: 0 },
    { rows: 2, columns: 100, eps: 1e-6, add: 0 },
    { rows: 1, columns: 2, eps: 1e-6, add: 0 },
    { rows: 3, columns: 70, eps: 1e-6, add: 1 },
  ],
  bench: {
    'smollm2 decode': { rows: 1, columns: 576, eps: 1e-5, add: 0 },
    'smollm2 prefill': { rows: 64, columns: 576, eps: 1e-5, add: 0 },
    '7B prefill': { rows: 64, columns: 4096, eps: 1e-5, add: 0 },
  },
  cost: ({ rows, columns }) => ({ bytes: 4 * (2 * rows + 1) * columns, flops: 4 * rows * columns }),
})
