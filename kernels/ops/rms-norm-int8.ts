/** Root-mean-square norm of rows, left in eight bits; see rms-norm-int8.wgsl. */
import { defineKernel, roundUp } from '../kernel.ts'
import { reduceFragment } from '../lib/fragments.ts'
import { int8RowWords, packInt8Row } from '../lib/int8-rows.ts'
import { type RmsNormTuning, rmsNorm } from './rms-norm.ts'

export type RmsNormInt8Shape = { rows: number; columns: number; eps: number }

const asFloats = (one: RmsNormInt8Shape) => ({ ...one, add: 0 })

export const rmsNormInt8 = defineKernel<RmsNormInt8Shape, RmsNormTuning>({
  name: 'rms-norm-int8',
  summary: 'y = x * weight / sqrt(mean(x²) + eps), in eight bits with a scale per 32 columns',
  wgsl: new URL('./rms-norm-int8.wgsl', import.meta.url),
  uses: (_, { WG, SUBGROUP }, caps) => [reduceFragment(SUBGROUP, WG, caps)],
  consts: ({ columns, eps }, { WG }) => ({
    DIM: columns,
    KB: Math.ceil(columns / 32),
    EPS: eps,
    WG,
  }),
  dispatch: ({ rows }) => [rows],
  tune: rmsNorm.tune,
  valid: (one, tuning, caps) => rmsNorm.valid?.(asFloats(one), tuning, caps) ?? true,
  inputs(one, random) {
    const { x, weight, source } = rmsNorm.inputs(asFloats(one), random)
    const y = new Uint32Array(one.rows * int8RowWords(one.columns))
    return { x: x!, weight: weight!, source: source!, y }
  },
  oracle(one, { x, weight, source, y }) {
    const stride = roundUp(one.columns, 32)
    const floats = new Float32Array(one.rows * stride)
    const io = { x: x!, weight: weight!, source: source!, y: floats }
    rmsNorm.oracle(asFloats(one), io, new Float32Array(0))
    for (let r = 0; r < one.rows; r++) {
      const row = floats.subarray(r * stride, (r + 1) * stride)
      packInt8Row(row, one.columns, y as Uint32Array, r * int8RowWords(one.columns))
    }
  },
  packed: () => ({ y: 'int8 beside f32' }),
  tolerance: 1e-5,
  cases: [
    { rows: 1, columns: 64, eps: 1e-5 },
    { rows: 3, columns: 576, eps: 1e-5 },
    { rows: 2, columns: 100, eps: 1e-6 },
    { rows: 1, columns: 2, eps: 1e-6 },
  ],
  bench: {
    'smollm2 decode': { rows: 1, columns: 576, eps: 1e-5 },
    'smollm2 prefill': { rows: 64, columns: 576, eps: 1e-5 },
  },
  cost: ({ rows, columns }) => ({
    bytes: (6 * rows + 4) * columns,
    flops: 8 * rows * columns,
  }),
})
