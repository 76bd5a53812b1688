/** The building blocks of the graph: a kernel over buffers → a stage, in the tiles that steps of few and many rows take. */
import {
  type Dispatch,
  type Form,
  type Forms,
  formsOf,
  type Kernel,
  kernels,
  type MatmulShape,
  type MatmulTuning,
  type Recorder,
  roundUp,
  type Shape,
  type Tuning,
  type Tunings,
} from '../../kernels/index.ts'
import type { Matrix } from '../weights/load.ts'
import type { Norm } from '../weights/model-weights.ts'
import type { Stage } from './dispatches.ts'
import { LeftRows, type Rows } from './left-rows.ts'

type Buffers = Readonly<Record<string, GPUBuffer>>

/** What becomes of a linear layer's products. */
export interface Output {
  readonly output: 'plain' | 'scaled' | 'capped' | 'silu' | 'gelu' | 'gelu-tanh' | 'relu'
  readonly factor: number
  readonly cap: number
}
export const PLAIN_OUTPUT: Output = { output: 'plain', factor: 1, cap: 0 }

/** One after another, as creations under error scopes are. */
const inForms = async (of: (form: Form) => Promise<Dispatch[]>): Promise<Forms<Dispatch[]>> => ({
  one: await of('one'),
  several: await of('several'),
  many: await of('many'),
})

export class Stages {
  readonly #recorder: Recorder
  readonly #tunings: Tunings

  constructor(recorder: Recorder, tunings: Tunings) {
    this.#recorder = recorder
    this.#tunings = tunings
  }

  /** One dispatch, the same for all steps. */
  async single<S extends Shape, T extends Tuning>(
    kernel: Kernel<S, T>,
    shape: S,
    buffers: Buffers,
  ): Promise<Stage> {
    const dispatches = [await this.record(kernel, shape, buffers)]
    return () => dispatches
  }

  record<S extends Shape, T extends Tuning>(
    kernel: Kernel<S, T>,
    shape: S,
    buffers: Buffers,
  ): Promise<Dispatch> {
    const { one: tuning } = this.#tunings.of(kernel, shape)
    return this.#recorder.record(kernel, shape, tuning, buffers)
  }

  /** Attention in tiles of one row and of several. */
  async attention<S extends Shape, T extends Tuning>(
    kernel: Kernel<S, T>,
    shape: S,
    buffers: Buffers,
  ): Promise<Stage> {
    const inForm = async (form: Form) => [await this.#inForm(kernel, shape, form, buffers)]
    const by = { one: await inForm('one'), several: await inForm('several') }
    return ({ attention }) => by[attention]
  }

  /** One dispatch for each part of a matrix. */
  async product<S extends MatmulShape>(
    kernel: Kernel<S, MatmulTuning>,
    matrix: Matrix,
    shapeOf: (part: MatmulShape) => S,
    buffers: { readonly x: Rows } & Readonly<Record<string, GPUBuffer | Rows>>,
  ): Promise<Stage> {
    const by = await inForms((form) =>
      this.#parts(matrix, buffers, (part, bound) =>
        this.#inForm(kernel, shapeOf(part), form, bound),
      ),
    )
    return ({ product }) => by[product]
  }

  #parts(
    { format, columns, parts, bias }: Matrix,
    { x, ...buffers }: { readonly x: Rows } & Readonly<Record<string, GPUBuffer | Rows>>,
    record: (part: MatmulShape, bound: Buffers) => Promise<Dispatch>,
  ): Promise<Dispatch[]> {
    const { buffer, given } = x instanceof LeftRows ? x : { buffer: x, given: {} }
    return Promise.all(
      parts.map(({ rows, start, buffers: own }) =>
        record({ format, columns, batch: 1, rows, start, ...given }, {
          ...own,
          ...buffers,
          x: buffer,
          bias,
        } as Buffers),
      ),
    )
  }

  #inForm<S extends Shape, T extends Tuning>(
    kernel: Kernel<S, T>,
    shape: S,
    form: Form,
    buffers: Buffers,
  ): Promise<Dispatch> {
    const tuning = this.#tunings.of(kernel, shape)[form]
    return this.#recorder.record(kernel, formsOf(kernel, shape)[form], tuning, buffers)
  }

  /** @param add 1: added to what y holds; @param stride values between rows of y */
  linear(
    matrix: Matrix,
    x: Rows,
    y: GPUBuffer,
    stride: number,
    add: 0 | 1,
    output: Output = PLAIN_OUTPUT,
  ): Promise<Stage> {
    const shapeOf = (part: MatmulShape) => ({ ...part, add, stride, total: matrix.rows, ...output })
    return this.product(kernels.linear, matrix, shapeOf, { x, y })
  }

  /** Onto what y holds; in steps of few rows what an RMS norm of `weight` needs of it goes into `next` as well. */
  async linearNorm(
    matrix: Matrix,
    type: 'f32' | 'int8',
    output: Output,
    { x, y, weight, next }: { x: GPUBuffer; y: GPUBuffer; weight: GPUBuffer; next: GPUBuffer },
  ): Promise<Stage> {
    const total = matrix.rows
    const linear = { add: 1, stride: roundUp(total, 32), total, ...output }
    const folded = (): Promise<Dispatch[]> =>
      this.#parts(matrix, { x, y, weight, next }, (part, bound) => {
        // All forms must sum in one order: the tunings of one kernel are known to.
        const { one } = this.#tunings.of(kernels.linear, { ...part, ...linear })
        const shape = { ...part, total, next: type, ...output }
        return this.#recorder.record(kernels.linearNorm, shape, one, bound)
      })
    const by = await inForms((form) =>
      form === 'one'
        ? folded()
        : this.#parts(matrix, { x, y }, (part, bound) =>
            this.#inForm(kernels.linear, { ...part, ...linear }, form, bound),
          ),
    )
    return ({ product }) => by[product]
  }

  /** Rows for a product that does the rest of an RMS norm. */
  normLeft(
    { weight }: Norm,
    of: { columns: number; eps: number; next: 'f32' | 'int8' },
    buffers: { x: GPUBuffer; next: GPUBuffer },
  ): Promise<Stage> {
    return this.single(kernels.rmsNormLeft, { rows: 1, ...of }, { ...buffers, weight })
  }

  /** RMS norm, or LayerNorm where there is a bias. */
  norm(
    { weight, bias }: Norm,
    of: { columns: number; eps: number; add: 0 | 1 },
    buffers: { x: GPUBuffer; source: GPUBuffer; y: GPUBuffer },
  ): Promise<Stage> {
    const { columns, eps, add } = of
    const shape = { rows: 1, columns, eps }
    if (!bias) return this.single(kernels.rmsNorm, { ...shape, add }, { ...buffers, weight })
    if (add === 1) throw new Error('A LayerNorm after a block is not supported.')
    return this.single(kernels.layerNorm, shape, { ...buffers, weight, bias })
  }
}
