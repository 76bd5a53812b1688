/** A linear layer onto the residual stream, and what the RMS norm after it needs of the sum; see linear-norm.wgsl. */
import { defineKernel } from '../kernel.ts'
import { leaveQuads, type OutputName, outputs } from '../lib/fragments.ts'
import { type LeftType, leaveRow, leftRowWords } from '../lib/left-rows.ts'
import {
  type MatmulShape,
  type MatmulTuning,
  matmulConsts,
  matmulCost,
  matmulDispatch,
  matmulOrder,
  matmulTune,
  paddedColumns,
  quadFragments,
  soundMatmul,
  validMatmul,
} from '../lib/matmul.ts'
import { activationsOf, matmulInputs, product } from '../lib/matmul-oracle.ts'
import { finish, type LinearShape, outputConsts } from './linear.ts'

/** A part of a split matrix starts at a multiple of 32 rows, and only the last ends elsewhere. */
export type LinearNormShape = MatmulShape &
  Pick<LinearShape, 'total' | 'output' | 'factor' | 'cap'> & {
    /** How the rows for the norm's reader are left. */
    next: LeftType
  }

const shape = (
  format: string,
  batch: number,
  rows: number,
  columns: number,
  next: LeftType = 'f32',
  output: OutputName = 'plain',
): LinearNormShape => ({
  ...{ format, batch, rows, columns, start: 0, total: rows, next, output },
  ...{ factor: 0.75, cap: 0.5 },
})

const nextWords = ({ next, total }: LinearNormShape): number => leftRowWords(next, total)

export const linearNorm = defineKernel<LinearNormShape, MatmulTuning>({
  name: 'linear-norm',
  summary: 'y += f(x Wᵀ + bias); next = y * weight, and Σ y² of each 32 columns',
  wgsl: new URL('./linear-norm.wgsl', import.meta.url),
  weight: ({ format, rows, columns }) => ({ format, rows, columns }),
  uses: (one, tuning) => [
    ...outputs[one.output],
    ...quadFragments(one, tuning),
    ...leaveQuads(one.next, tuning.SHUFFLE),
  ],
  consts: (one, tuning) => ({
    ...matmulConsts(one, tuning),
    HIDDEN_BLOCKS: paddedColumns(one.total) / 32,
    Y_ROWS: one.total,
    NEXT_ROW: nextWords(one),
    ...outputConsts(one),
  }),
  dispatch: matmulDispatch,
  tune: matmulTune,
  order: matmulOrder,
  sound: (one, caps) => soundMatmul({ ...one, batch: 1 }, caps),
  valid: (one, tuning, caps) => validMatmul({ ...one, batch: 1 }, tuning, caps),
  inputs(one, random) {
    const { batch, total, next } = one
    const stride = paddedColumns(total)
    const y = new Float32Array(batch * stride)
    for (let m = 0; m < batch; m++) y.set(random.floats(total), m * stride)
    const weight = new Float32Array(stride)
    weight.set(random.floats(total))
    const words = batch * nextWords(one)
    return {
      ...matmulInputs(one, random),
      bias: random.floats(Math.ceil(total / 2) * 2),
      y,
      weight,
      next: next === 'int8' ? new Uint32Array(words) : random.floats(words),
    }
  },
  oracle(one, { x: given, bias, y, weight: norm, next }, weight) {
    const x = activationsOf(one, given!)
    const stride = paddedColumns(one.total)
    // The factor is its reader's.
    const left = { weight: norm as Float32Array, columns: one.total, eps: 1 }
    for (let m = 0; m < one.batch; m++) {
      for (let n = one.start * 2; n < one.start * 2 + one.rows; n++) {
        const sum = product(one, x, weight, m, n - one.start * 2) + bias![n]!
        y![m * stride + n]! += finish(one, sum)
      }
      leaveRow(y!.subarray(m * stride, (m + 1) * stride) as Float32Array, left, next!, m)
    }
  },
  packed: ({ next }): Readonly<Record<string, 'int8 beside f32'>> =>
    next === 'int8' ? { next: 'int8 beside f32' } : {},
  tolerance: 2e-5,
  cases: [
    shape('f32', 1, 64, 64),
    shape('bf16', 5, 130, 96),
    shape('affine4/32/f16', 1, 192, 576),
    shape('affine4/32/f16', 1, 192, 576, 'int8'),
    shape('affine8/64/bf16', 3, 130, 192, 'int8'),
    shape('f16', 9, 70, 100, 'int8', 'scaled'),
    shape('f32', 2, 3, 33, 'f32', 'scaled'),
  ],
  bench: {
    'smollm2 q4 o decode': shape('affine4/32/f16', 1, 576, 576),
    'smollm2 q4 down decode': shape('affine4/32/f16', 1, 576, 1536),
    'smollm2 q4 down decode, int8 next': shape('affine4/32/f16', 1, 576, 1536, 'int8'),
  },
  cost: (one) => {
    const { bytes, flops } = matmulCost(one)
    return { bytes: bytes + 4 * one.batch * (one.rows + nextWords(one)), flops }
  },
})
