/** The experts of a layer in the graph: which ones a row goes through, their gated halves, and what they add up to. */
import { type Dispatch, kernels, roundUp } from '../../kernels/index.ts'
import type { DecoderConfig } from '../models/config.ts'
import type { Matrix } from '../weights/load.ts'
import type { MlpWeights } from '../weights/model-weights.ts'
import type { ModelBuffers } from './buffers.ts'
import type { Stage } from './dispatches.ts'
import type { Stages } from './stages.ts'

export class Experts {
  readonly #stages: Stages
  readonly #weights: MlpWeights & { kind: 'experts' }
  readonly #config: DecoderConfig
  readonly #gated: GPUBuffer
  readonly #routes: GPUBuffer
  readonly #logits: GPUBuffer

  constructor(
    stages: Stages,
    buffers: ModelBuffers,
    config: DecoderConfig,
    weights: MlpWeights & { kind: 'experts' },
  ) {
    const { gated, routing } = buffers
    if (!routing) throw new Error('A layer has experts, but the config says nothing of them.')
    this.#stages = stages
    this.#weights = weights
    this.#config = config
    this.#gated = gated
    this.#routes = routing.routes
    this.#logits = routing.logits
  }

  get #experts() {
    const { experts } = this.#config
    if (!experts) throw new Error('A layer has experts, but the config says nothing of them.')
    return experts
  }

  /** Chooses the experts of every row, and computes their gated halves. */
  async gated(x: GPUBuffer): Promise<Stage[]> {
    const { count, chosen, renormalise, intermediateSize, clamp } = this.#experts
    const { router, gateUp } = this.#weights
    const gate = {
      activation: clamp ? ('clamped' as const) : this.#config.activation,
      limit: clamp?.limit ?? 0,
      alpha: clamp?.alpha ?? 0,
    }
    const chosenOf = { batch: 1, experts: count, chosen, renormalise: renormalise ? 1 : 0 }
    const [logits, routes] = [this.#logits, this.#routes]
    return [
      await this.#stages.linear(router, x, logits, roundUp(count, 32), 0),
      await this.#stages.single(kernels.route, chosenOf, { logits, routes }),
      await this.#parts(gateUp, (part, bound) =>
        this.#stages.record(
          kernels.expertGateUp,
          { ...part, ...gate, each: 2 * intermediateSize },
          { ...bound, x, y: this.#gated },
        ),
      ),
    ]
  }

  /** The chosen experts' shares of y, written or added. */
  down(y: GPUBuffer, add: 0 | 1): Promise<Stage> {
    const each = this.#config.hiddenSize
    // Every part after the first adds to what those before it left.
    return this.#parts(this.#weights.down, (part, bound) =>
      this.#stages.record(
        kernels.expertDown,
        { ...part, each, add: part.start === 0 ? add : 1 },
        { ...bound, x: this.#gated, y },
      ),
    )
  }

  async #parts(
    matrix: Matrix,
    record: (shape: Part, bound: Readonly<Record<string, GPUBuffer>>) => Promise<Dispatch>,
  ): Promise<Stage> {
    const { format, columns, bias } = matrix
    const { count: experts, chosen } = this.#experts
    const dispatches: Dispatch[] = []
    for (const { rows, start, buffers } of matrix.parts) {
      const shape = { format, batch: 1, experts, chosen, columns, rows, start }
      dispatches.push(await record(shape, { ...buffers, bias, routes: this.#routes }))
    }
    return () => dispatches
  }
}

interface Part {
  format: string
  batch: number
  experts: number
  chosen: number
  columns: number
  rows: number
  start: number
}
