/** The down projections of the chosen experts, weighed and added up; see expert-down.wgsl. */
import { defineKernel, roundUp } from '../kernel.ts'
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
import { expertProduct } from '../lib/fragments.ts'

/** `add` 1: added to what y holds. */
export type ExpertDownShape = ExpertsShape & { add: number }

const shape = (
  format: string,
  batch: number,
  experts: number,
  chosen: number,
  each: number,
  columns: number,
  add = 1,
): ExpertDownShape => ({ ...wholeExperts(format, batch, experts, chosen, each, columns), add })

const strideOf = ({ each }: ExpertsShape): number => roundUp(each, 32)

export const expertDown = defineKernel<ExpertDownShape, ExpertsTuning>({
  name: 'expert-down',
  summary: 'y += Σ weight · (x Wᵀ + bias) over the experts that a row goes through',
  wgsl: new URL('./expert-down.wgsl', import.meta.url),
  weight: ({ format, rows, columns }) => ({ format, rows, columns }),
  weightRows: expertRowsRead,
  uses: () => [expertProduct],
  consts: (one, tuning) => ({
    ...expertsConsts(one, tuning),
    EACH: one.each,
    ADD: one.add,
    Y_STRIDE: strideOf(one),
  }),
  dispatch: (one) => [blocksOf(one), one.batch],
  tune: expertsTune,
  order: ['SPLIT'],
  sound: soundExperts,
  valid: validExperts,
  inputs: (one, random) => ({
    x: vectorsInput(one.batch * one.chosen, one.columns, random),
    ...routesInput(one, random),
    bias: random.floats(one.experts * expertRows(one)),
    y: random.floats(one.batch * strideOf(one)),
  }),
  oracle(one, { x, routes, bias, y }, weight) {
    for (let row = 0; row < one.batch; row++) {
      const chosen = routesOf(one, routes as Uint32Array, row)
      for (let n = 0; n < one.each; n++) {
        let sum = 0
        for (const [c, { expert, weight: share }] of chosen.entries()) {
          const m = row * one.chosen + c
          const value = expertDot(one, weight, x as Float32Array, expert, n, m)
          if (value !== null) sum += share * (value + bias![expert * expertRows(one) + n]!)
        }
        const at = row * strideOf(one) + n
        y![at] = one.add === 1 ? y![at]! + sum : sum
      }
    }
  },
  tolerance: 4e-5,
  cases: [
    shape('f32', 1, 4, 2, 64, 64),
    shape('bf16', 3, 8, 2, 97, 70, 0),
    shape('affine8/32/f16', 2, 3, 3, 130, 96),
    { ...shape('f32', 4, 4, 2, 130, 32), start: 5 * 16, rows: 7 * 32 },
  ],
  bench: { 'qwen3-moe q4 decode': shape('affine4/64/bf16', 1, 16, 8, 2048, 768) },
  cost: expertsCost,
})
