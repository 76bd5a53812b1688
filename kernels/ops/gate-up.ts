/** The gated half of an MLP in one kernel; see gate-up.wgsl. */
import { defineKernel } from '../kernel.ts'
import { EXACT } from '../lib/activation-oracle.ts'
import { type ActivationName, activations } from '../lib/fragments.ts'
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
  paddedColumns,
  soundMatmul,
  validMatmul,
} from '../lib/matmul.ts'
import { activationsOf, matmulInputs, product } from '../lib/matmul-oracle.ts'

/** `rows` counts gate and up rows together; pair i is (gate i, up i). `stride`: values between rows of y. */
export type GateUpShape = MatmulShape & { activation: ActivationName; stride: number }

const shape = (
  format: string,
  batch: number,
  rows: number,
  columns: number,
  activation: ActivationName = 'silu',
): GateUpShape => ({
  format,
  batch,
  rows,
  columns,
  start: 0,
  activation,
  stride: paddedColumns(rows / 2),
})

export const gateUp = defineKernel<GateUpShape, MatmulTuning>({
  name: 'gate-up',
  summary: 'y = act(x Wgᵀ + bg) * (x Wuᵀ + bu)',
  wgsl: new URL('./gate-up.wgsl', import.meta.url),
  weight: ({ format, rows, columns }) => ({ format, rows, columns }),
  uses: (one, tuning) => [activations[one.activation], ...matmulFragments(one, tuning)],
  consts: (one, tuning) => ({ ...matmulConsts(one, tuning), Y_STRIDE: one.stride }),
  dispatch: matmulDispatch,
  tune: matmulTune,
  order: matmulOrder,
  sound: soundMatmul,
  forms: matmulForms,
  valid: validMatmul,
  inputs: (one, random) => ({
    ...matmulInputs(one, random),
    bias: random.floats((one.start + one.rows / 2) * 2),
    y: new Float32Array(one.batch * one.stride),
  }),
  oracle(one, { x: given, bias, y }, weight) {
    const x = activationsOf(one, given!)
    for (let m = 0; m < one.batch; m++) {
      for (let i = 0; i < one.rows / 2; i++) {
        const at = one.start + i
        const gate = product(one, x, weight, m, 2 * i) + bias![at * 2]!
        const up = product(one, x, weight, m, 2 * i + 1) + bias![at * 2 + 1]!
        y![m * one.stride + at] = EXACT[one.activation](gate) * up
      }
    }
  },
  tolerance: 4e-5,
  cases: [
    shape('f32', 1, 64, 64),
    shape('bf16', 3, 320, 64),
    shape('affine4/32/f16', 1, 256, 96),
    { ...shape('affine4/32/f16', 5, 256, 96), x: 'int8' },
    { ...shape('f32', 2, 66, 160), eps: 1e-2 },
    { ...shape('affine4/32/f16', 5, 256, 96), x: 'int8', eps: 1e-5 },
    shape('f16', 2, 130, 40, 'gelu'),
    shape('affine4/32/f16', 37, 448, 96),
    shape('bf16', 1, 66, 64, 'gelu-tanh'),
    shape('f32', 2, 6, 33, 'relu'),
    { ...shape('f32', 1, 64, 64), start: 32, stride: 64 },
  ],
  bench: {
    'smollm2 q4 decode': shape('affine4/32/f16', 1, 3072, 576),
    'smollm2 q4 decode, int8': { ...shape('affine4/32/f16', 1, 3072, 576), x: 'int8' },
    'smollm2 q4 prefill, int8': { ...shape('affine4/32/f16', 64, 3072, 576), x: 'int8' },
    'smollm2 bf16 decode': shape('bf16', 1, 3072, 576),
    'smollm2 q4 prefill': shape('affine4/32/f16', 64, 3072, 576),
    'smollm2 bf16 prefill': shape('bf16', 64, 3072, 576),
  },
  cost: matmulCost,
})
