/**
 * The residual stream between blocks: what a block ends in is added to it, and what the next block reads is its norm. Where
 * it can be, the norm takes no dispatch in steps of few rows: the product that ends the block leaves what an RMS norm needs,
 * and the one that begins the next divides by the root of the mean square. Steps of several rows are busy enough to be worth
 * a dispatch that does it once a row. Both make the same bits.
 */
import { formatOf, roundUp } from '../../kernels/index.ts'
import type { Matrix } from '../weights/load.ts'
import type { LayerWeights, Norm } from '../weights/model-weights.ts'
import type { DecoderParts } from './decoder-parts.ts'
import type { Stage } from './dispatches.ts'
import { LeftRows, type Rows } from './left-rows.ts'
import { type Output, PLAIN_OUTPUT, type Stages } from './stages.ts'

/** What reads the residual: a block through its norm. */
export interface Reader {
  readonly norm: Norm | null
  /** The one matrix that reads what the norm leaves; null where others do. */
  readonly matrix: Matrix | null
}

/** What a block ends in. */
export interface End {
  /** Null: more than one product. */
  readonly matrix: Matrix | null
  readonly postNorm: Norm | null
}

export const attentionReader = ({ attentionNorm: norm, qkv: matrix }: LayerWeights): Reader => ({
  norm,
  matrix,
})

export const mlpReader = ({ mlpNorm: norm, mlp }: LayerWeights): Reader => ({
  norm,
  matrix: mlp.kind === 'gated' ? mlp.gateUp : mlp.kind === 'plain' ? mlp.up : null,
})

export const attentionEnd = ({ o: matrix, attentionPostNorm: postNorm }: LayerWeights): End => ({
  matrix,
  postNorm,
})

export const mlpEnd = ({ mlp, mlpPostNorm: postNorm }: LayerWeights): End => ({
  matrix: mlp.kind === 'experts' ? null : mlp.down,
  postNorm,
})

/** An RMS norm that one matrix reads: it leaves the reader to divide by the root of the mean square. */
type LeftReader = Reader & { readonly norm: Norm; readonly matrix: Matrix }
const isLeft = (reader: Reader): reader is LeftReader =>
  reader.norm !== null && reader.norm.bias === null && reader.matrix !== null

/** Whether the norm between a block and the one after it is folded into both: the one place where that is decided. */
const isFolded = (end: End, next: Reader): next is LeftReader =>
  end.matrix !== null && end.postNorm === null && isLeft(next)

export class Residual {
  readonly #stages: Stages
  readonly #parts: DecoderParts

  constructor(stages: Stages, parts: DecoderParts) {
    this.#stages = stages
    this.#parts = parts
  }

  /** What a block reads after one that ends so (null: after the embedding): the residual, or its norm. */
  async read(end: End | null, reader: Reader): Promise<[stages: Stage[], x: Rows]> {
    const { buffers, sequences, config } = this.#parts
    const { hidden: x, normed: y } = buffers
    if (!reader.norm) return [[], x]
    if (!isLeft(reader)) {
      return [[await this.norm(reader.norm, { x, source: sequences.identity, y }, 0)], y]
    }
    const { hiddenSize: columns, normEps: eps } = config
    const next = this.#typeFor(reader)
    const norm = await this.#stages.normLeft(reader.norm, { columns, eps, next }, { x, next: y })
    const given = next === 'int8' ? { x: next, eps } : { eps }
    const isDone = end !== null && isFolded(end, reader)
    return [[isDone ? butAlone(norm) : norm], new LeftRows(y, given)]
  }

  /** A block's last products onto the residual, through a norm where there is one. */
  async onto(
    { postNorm: norm }: End,
    product: (y: GPUBuffer, add: 0 | 1) => Promise<Stage>,
  ): Promise<Stage[]> {
    const { buffers, sequences } = this.#parts
    const { hidden, branch } = buffers
    if (!norm || !branch) return [await product(hidden, 1)]
    const bound = { x: branch, source: sequences.identity, y: hidden }
    return [await product(branch, 0), await this.norm(norm, bound, 1)]
  }

  /** A block's last product onto the residual, and what `next` needs of it. */
  async end(end: End & { matrix: Matrix }, x: GPUBuffer, next: Reader): Promise<Stage[]> {
    const { matrix } = end
    const { hiddenSize, residualScale: factor } = this.#parts.config
    const output: Output = factor === 1 ? PLAIN_OUTPUT : { output: 'scaled', factor, cap: 0 }
    if (!isFolded(end, next)) {
      return this.onto(end, (y, add) =>
        this.#stages.linear(matrix, x, y, roundUp(hiddenSize, 32), add, output),
      )
    }
    const { hidden: y, normed } = this.#parts.buffers
    const { weight } = next.norm
    const bound = { x, y, weight, next: normed }
    return [await this.#stages.linearNorm(matrix, this.#typeFor(next), output, bound)]
  }

  /** The norm of the rows of x that `source` names, written to y or added. */
  norm(
    norm: Norm,
    bound: { x: GPUBuffer; source: GPUBuffer; y: GPUBuffer },
    add: 0 | 1,
  ): Promise<Stage> {
    const { hiddenSize: columns, normEps: eps } = this.#parts.config
    return this.#stages.norm(norm, { columns, eps, add }, bound)
  }

  /** Eight bits where they are asked for and the reader's weights are integers. */
  #typeFor({ matrix }: LeftReader): 'f32' | 'int8' {
    const isInt8 = this.#parts.sizes.activations === 'int8'
    return isInt8 && formatOf(matrix.format).integers !== undefined ? 'int8' : 'f32'
  }
}

/** In tiles of one row the product before has done it. */
const butAlone =
  (stage: Stage): Stage =>
  (variant) =>
    variant.product === 'one' ? [] : stage(variant)
