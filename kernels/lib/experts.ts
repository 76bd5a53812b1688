/** What the kernels over the chosen experts share: their sizes, constants, test data and the bytes they read. */
import { BLOCK_ROWS } from '../formats/format.ts'
import type { Capabilities } from '../gpu/capabilities.ts'
import { type Arrays, type Random, roundUp } from '../kernel.ts'

/** One matrix of all experts' rows, each expert from a row block of its own on. */
export type ExpertsShape = {
  format: string
  batch: number
  experts: number
  /** Experts a row goes through. */
  chosen: number
  /** Weight rows of one expert. */
  each: number
  columns: number
  /** Weight rows of this part of a split matrix, padding between experts included. */
  rows: number
  /** First pair of this part. */
  start: number
}

/** `SPLIT`: runs the columns are cut into. It decides the order of the sum. */
export type ExpertsTuning = { SPLIT: number }

export const expertsTune = { SPLIT: [1, 16] } as const

/** On a CPU adapter an invocation sums whole rows; on a GPU the columns are cut, so that more work at once. */
export const soundExperts = (_: ExpertsShape, caps: Capabilities): ExpertsTuning => ({
  SPLIT: caps.software ? 1 : 16,
})

export const validExperts = (_: ExpertsShape, { SPLIT }: ExpertsTuning, caps: Capabilities) =>
  8 * SPLIT <= caps.maxInvocations

/** Row blocks of one expert. */
export const blocksOf = ({ each }: ExpertsShape): number => Math.ceil(each / BLOCK_ROWS)

/** Rows from one expert to the next. */
export const expertRows = (one: ExpertsShape): number => blocksOf(one) * BLOCK_ROWS

export const expertsConsts = (one: ExpertsShape, { SPLIT }: ExpertsTuning) => ({
  KB: Math.ceil(one.columns / 32),
  CHOSEN: one.chosen,
  BLOCKS: blocksOf(one),
  BLOCK_START: (one.start * 2) / BLOCK_ROWS,
  BLOCK_END: (one.start * 2) / BLOCK_ROWS + Math.ceil(one.rows / BLOCK_ROWS),
  SPLIT,
})

/** A shape of all experts in one part. */
export const wholeExperts = (
  format: string,
  batch: number,
  experts: number,
  chosen: number,
  each: number,
  columns: number,
): ExpertsShape => ({
  format,
  batch,
  experts,
  chosen,
  each,
  columns,
  rows: experts * roundUp(each, BLOCK_ROWS),
  start: 0,
})

/** Distinct experts for each row, with weights. */
export function routesInput({ batch, experts, chosen }: ExpertsShape, random: Random): Arrays {
  const routes = new Uint32Array(batch * chosen * 2)
  const weights = new Float32Array(routes.buffer)
  for (let row = 0; row < batch; row++) {
    const first = random.below(experts)
    for (let i = 0; i < chosen; i++) {
      routes[(row * chosen + i) * 2] = (first + i) % experts
      weights[(row * chosen + i) * 2 + 1] = random.f32(0.5) + 0.5
    }
  }
  return { routes }
}

/** Vectors of `columns` numbers, padded with zeros. */
export function vectorsInput(count: number, columns: number, random: Random): Float32Array {
  const stride = roundUp(columns, 32)
  return Float32Array.from({ length: count * stride }, (_, i) =>
    i % stride < columns ? random.f32(3 / Math.sqrt(columns)) : 0,
  )
}

/** The numbers of experts of the routes of a row, and their weights. */
export function routesOf({ chosen }: ExpertsShape, routes: Uint32Array, row: number) {
  const weights = new Float32Array(routes.buffer, routes.byteOffset, routes.length)
  return Array.from({ length: chosen }, (_, i) => {
    const at = (row * chosen + i) * 2
    return { expert: routes[at]!, weight: weights[at + 1]! }
  })
}

/** dot(row `n` of an expert, vector `m`) in float64, or null where the row lies in another part. */
export function expertDot(
  one: ExpertsShape,
  weight: Float32Array,
  x: Float32Array,
  expert: number,
  n: number,
  m: number,
): number | null {
  const row = expert * expertRows(one) + n - one.start * 2
  if (row < 0 || row >= one.rows) return null
  const stride = roundUp(one.columns, 32)
  let sum = 0
  for (let k = 0; k < one.columns; k++) sum += weight[row * one.columns + k]! * x[m * stride + k]!
  return sum
}

/** The chosen experts' rows, once for each row that goes through them: how many experts there are is no matter. */
export const expertRowsRead = (one: ExpertsShape): number =>
  one.batch * one.chosen * expertRows(one)

/** Weights aside: vectors in, products out. The chosen experts' weights are read once a row. */
export const expertsCost = (one: ExpertsShape) => ({
  bytes: 4 * one.batch * one.chosen * (one.columns + one.each),
  flops: 2 * one.batch * one.chosen * one.each * one.columns,
})
