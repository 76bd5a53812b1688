/** Rows for products that do the rest of an RMS norm; see rms-norm-left.wgsl. */
import { defineKernel, roundUp } from '../kernel.ts'
import { leaveRows } from '../lib/fragments.ts'
import { factorAt, type LeftType, leaveRow, leftRowWords } from '../lib/left-rows.ts'

/** `next`: how the rows are left. */
export type RmsNormLeftShape = { rows: number; columns: number; eps: number; next: LeftType }
/** `SUBGROUP` 1: the workgroup is one subgroup. */
export type RmsNormLeftTuning = { WG: number; SUBGROUP: number }

export const rmsNormLeft = defineKernel<RmsNormLeftShape, RmsNormLeftTuning>({
  name: 'rms-norm-left',
  summary: 'next = x * weight, Σ x² of each 32 columns, and 1 / sqrt(mean(x²) + eps)',
  wgsl: new URL('./rms-norm-left.wgsl', import.meta.url),
  uses: ({ next }, { WG, SUBGROUP }) => leaveRows(next, SUBGROUP === 1 ? WG : 0),
  consts: ({ columns, eps, next }, { WG }) => ({
    DIM: columns,
    HIDDEN_BLOCKS: Math.ceil(columns / 32),
    NEXT_ROW: leftRowWords(next, columns),
    EPS: eps,
    WG,
  }),
  dispatch: ({ rows }) => [rows],
  tune: { WG: [8, 4, 64, 32, 128], SUBGROUP: [1, 0] },
  valid: (_, { WG, SUBGROUP }, caps) =>
    SUBGROUP === 1
      ? WG <= 8 && caps.subgroups && caps.software && WG === caps.subgroupMin
      : WG > 8 && WG <= caps.maxInvocations,
  inputs({ rows, columns, next }, random) {
    const stride = roundUp(columns, 32)
    const weight = new Float32Array(stride)
    weight.set(random.floats(columns))
    const x = new Float32Array(rows * stride)
    for (let r = 0; r < rows; r++) x.set(random.floats(columns, 3), r * stride)
    const words = rows * leftRowWords(next, columns)
    return { x, weight, next: next === 'int8' ? new Uint32Array(words) : random.floats(words) }
  },
  oracle({ rows, columns, eps, next: type }, { x, weight, next }) {
    const stride = roundUp(columns, 32)
    const norm = { weight: weight as Float32Array, columns, eps }
    const floats = new Float32Array(next!.buffer, next!.byteOffset, next!.length)
    for (let r = 0; r < rows; r++) {
      const row = x!.subarray(r * stride, (r + 1) * stride) as Float32Array
      floats[factorAt(type, columns, r)] = leaveRow(row, norm, next!, r)
    }
  },
  packed: ({ next }): Readonly<Record<string, 'int8 beside f32'>> =>
    next === 'int8' ? { next: 'int8 beside f32' } : {},
  tolerance: 1e-5,
  cases: [
    { rows: 1, columns: 64, eps: 1e-5, next: 'f32' },
    { rows: 3, columns: 576, eps: 1e-5, next: 'f32' },
    { rows: 3, columns: 576, eps: 1e-5, next: 'int8' },
    { rows: 2, columns: 100, eps: 1e-6, next: 'f32' },
    { rows: 2, columns: 100, eps: 1e-6, next: 'int8' },
    { rows: 1, columns: 2, eps: 1e-2, next: 'f32' },
    { rows: 1, columns: 2, eps: 1e-2, next: 'int8' },
  ],
  bench: {
    'smollm2 prefill': { rows: 64, columns: 576, eps: 1e-5, next: 'f32' },
    'smollm2 prefill, int8': { rows: 64, columns: 576, eps: 1e-5, next: 'int8' },
    '7B prefill': { rows: 64, columns: 4096, eps: 1e-5, next: 'f32' },
  },
  cost: ({ rows, columns, next }) => ({
    bytes: 4 * ((rows + 1) * columns + rows * leftRowWords(next, columns)),
    flops: 3 * rows * columns,
  }),
})
