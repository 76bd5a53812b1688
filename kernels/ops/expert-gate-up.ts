/** The gated half of the chosen experts; see expert-gate-up.wgsl. */
import { defineKernel, roundUp } from '../kernel.ts'
import { EXACT } from '../lib/activation-oracle.ts'
import {
  blocksOf,
  type ExpertsShape,
  type ExpertsTuning,
  expertDot,
  expertRows,
  expertRowsRead,
  expertsConsts,
  expertsCost,
  expertsTune,
  routesInput,
  routesOf,
  soundExperts,
  validExperts,
  vectorsInput,
  wholeExperts,
} from '../lib/experts.ts'
import { type ActivationName, expertProduct, gatedFragments } from '../lib/fragments.ts'

/** `each` counts gate and up rows together; pair i is (gate i, up i). */
export type ExpertGateUpShape = ExpertsShape & {
  activation: ActivationName | 'clamped'
  /** Of `clamped`. */
  limit: number
  alpha: number
}

const shape = (
  format: string,
  batch: number,
  experts: number,
  chosen: number,
  each: number,
  columns: number,
  activation: ExpertGateUpShape['activation'] = 'silu',
): ExpertGateUpShape => ({
  ...wholeExperts(format, batch, experts, chosen, each, columns),
  activation,
  limit: 1.25,
  alpha: 1.702,
})

function gated({ activation, limit, alpha }: ExpertGateUpShape, gate: number, up: number): number {
  if (activation !== 'clamped') return EXACT[activation](gate) * up
  const low = Math.min(gate, limit)
  const kept = Math.max(-limit, Math.min(limit, up))
  return ((kept + 1) * low) / (1 + Math.exp(-alpha * low))
}

const strideOf = ({ each }: ExpertsShape): number => roundUp(each / 2, 32)

export const expertGateUp = defineKernel<ExpertGateUpShape, ExpertsTuning>({
  name: 'expert-gate-up',
  summary: 'y = act(x Wgᵀ + bg) * (x Wuᵀ + bu) of each expert that a row goes through',
  wgsl: new URL('./expert-gate-up.wgsl', import.meta.url),
  weight: ({ format, rows, columns }) => ({ format, rows, columns }),
  weightRows: expertRowsRead,
  uses: ({ activation }) => [...gatedFragments(activation), expertProduct],
  consts: (one, tuning) => ({
    ...expertsConsts(one, tuning),
    PAIRS: one.each / 2,
    Y_STRIDE: strideOf(one),
    ...(one.activation === 'clamped' ? { LIMIT: one.limit, ALPHA: one.alpha } : {}),
  }),
  dispatch: (one) => [blocksOf(one), one.batch * one.chosen],
  tune: expertsTune,
  order: ['SPLIT'],
  sound: soundExperts,
  valid: validExperts,
  inputs: (one, random) => ({
    x: vectorsInput(one.batch, one.columns, random),
    ...routesInput(one, random),
    bias: random.floats(one.experts * expertRows(one)),
    y: new Float32Array(one.batch * one.chosen * strideOf(one)),
  }),
  oracle(one, { x, routes, bias, y }, weight) {
    for (let row = 0; row < one.batch; row++) {
      for (const [c, { expert }] of routesOf(one, routes as Uint32Array, row).entries()) {
        const first = expert * expertRows(one)
        for (let i = 0; i < one.each / 2; i++) {
          const dot = (n: number) => expertDot(one, weight, x as Float32Array, expert, n, row)
          const gate = dot(2 * i)
          const up = dot(2 * i + 1)
          if (gate === null || up === null) continue
          y![(row * one.chosen + c) * strideOf(one) + i] = gated(
            one,
            gate + bias![first + 2 * i]!,
            up + bias![first + 2 * i + 1]!,
          )
        }
      }
    }
  },
  tolerance: 4e-5,
  cases: [
    shape('f32', 1, 4, 2, 64, 64),
    shape('bf16', 3, 8, 2, 98, 70),
    shape('affine4/32/f16', 2, 3, 3, 130, 96, 'gelu-tanh'),
    shape('f16', 2, 4, 1, 320, 64, 'clamped'),
    { ...shape('f32', 4, 4, 2, 130, 32), start: 5 * 16, rows: 7 * 32 },
  ],
  bench: { 'qwen3-moe q4 decode': shape('affine4/64/bf16', 1, 16, 8, 1536, 2048) },
  cost: expertsCost,
})
