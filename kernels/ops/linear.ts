/** A linear layer, alone or added to the residual stream; see linear.wgsl. */
import { defineKernel } from '../kernel.ts'
import { EXACT } from '../lib/activation-oracle.ts'
import { type OutputName, outputs } from '../lib/fragments.ts'
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

export type LinearShape = MatmulShape & {
  /** 1: added to what y holds. */
  add: number
  /** Values between rows of y. */
  stride: number
  /** Rows of the whole matrix. */
  total: number
  /** What becomes of a product before it is stored or added. */
  output: OutputName
  /** Of `scaled` and `capped`. */
  factor: number
  /** Of `capped`. */
  cap: number
}

const shape = (
  format: string,
  batch: number,
  rows: number,
  columns: number,
  add = 0,
  output: OutputName = 'plain',
): LinearShape => ({
  format,
  batch,
  rows,
  columns,
  start: 0,
  add,
  total: rows,
  stride: paddedColumns(rows),
  output,
  factor: 0.75,
  cap: 0.5,
})

/** What becomes of a product, in float64. */
export const finish = (
  { output, factor, cap }: Pick<LinearShape, 'output' | 'factor' | 'cap'>,
  value: number,
): number => {
  if (output === 'plain') return value
  if (output === 'scaled') return value * factor
  return output === 'capped' ? cap * Math.tanh((value * factor) / cap) : EXACT[output](value)
}

/** Compiled in where the output reads them. */
export const outputConsts = ({
  output,
  factor,
  cap,
}: Pick<LinearShape, 'output' | 'factor' | 'cap'>): Record<string, number> =>
  output === 'capped' ? { FACTOR: factor, CAP: cap } : output === 'scaled' ? { FACTOR: factor } : {}

export const linear = defineKernel<LinearShape, MatmulTuning>({
  name: 'linear',
  summary:
    'y = f(x Wᵀ + bias), or y += f(x Wᵀ + bias); f: nothing, a factor, a softcap, an activation',
  wgsl: new URL('./linear.wgsl', import.meta.url),
  weight: ({ format, rows, columns }) => ({ format, rows, columns }),
  uses: (one, tuning) => [...outputs[one.output], ...matmulFragments(one, tuning)],
  consts: (one, tuning) => ({
    ...matmulConsts(one, tuning),
    ADD: one.add,
    Y_STRIDE: one.stride,
    Y_ROWS: one.total,
    ...outputConsts(one),
  }),
  dispatch: matmulDispatch,
  tune: matmulTune,
  order: matmulOrder,
  sound: soundMatmul,
  forms: matmulForms,
  valid: validMatmul,
  inputs(one, random) {
    const pairs = one.start + Math.ceil(one.rows / 2)
    return {
      ...matmulInputs(one, random),
      bias: random.floats(pairs * 2),
      y: random.floats(one.batch * one.stride),
    }
  },
  oracle(one, { x: given, bias, y }, weight) {
    const x = activationsOf(one, given!)
    for (let m = 0; m < one.batch; m++) {
      for (let n = 0; n < one.rows; n++) {
        const at = m * one.stride + one.start * 2 + n
        const sum = product(one, x, weight, m, n) + bias![one.start * 2 + n]!
        const value = finish(one, sum)
        y![at] = one.add === 1 ? y![at]! + value : value
      }
    }
  },
  tolerance: 2e-5,
  cases: [
    shape('f32', 1, 64, 64),
    shape('bf16', 1, 130, 96),
    shape('f16', 3, 70, 100, 1),
    shape('affine4/32/f16', 1, 192, 576, 1),
    shape('affine4/64/bf16', 5, 66, 192),
    shape('affine4/128/f32', 1, 34, 256),
    shape('affine8/32/f16', 2, 320, 64),
    shape('affine8/64/f32', 1, 64, 128),
    shape('affine8/128/bf16', 4, 65, 128),
    { ...shape('bf16', 2, 64, 64), start: 32, total: 128, stride: 128 },
    shape('f32', 1, 3, 33),
    { ...shape('affine4/32/f16', 1, 130, 576, 1), x: 'int8' },
    { ...shape('affine8/64/bf16', 5, 66, 192), x: 'int8' },
    { ...shape('bf16', 3, 66, 100), eps: 1e-5 },
    { ...shape('affine8/64/bf16', 2, 66, 192), x: 'int8', eps: 1e-5 },
    shape('f32', 1, 34, 64, 1, 'scaled'),
    shape('bf16', 2, 67, 64, 0, 'capped'),
    shape('f32', 2, 65, 64, 0, 'gelu-tanh'),
  ],
  bench: {
    'smollm2 q4 o decode': shape('affine4/32/f16', 1, 576, 576, 1),
    'smollm2 q4 down decode': shape('affine4/32/f16', 1, 576, 1536, 1),
    'smollm2 q8 head decode': shape('affine8/32/f16', 1, 49152, 576),
    'smollm2 q8 head decode, int8': { ...shape('affine8/32/f16', 1, 49152, 576), x: 'int8' },
    'smollm2 bf16 down decode': shape('bf16', 1, 576, 1536, 1),
    'smollm2 q4 down prefill': shape('affine4/32/f16', 64, 576, 1536, 1),
    'smollm2 bf16 down prefill': shape('bf16', 64, 576, 1536, 1),
  },
  cost: matmulCost,
})
