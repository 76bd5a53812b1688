/**
 * The one decoder graph: a config, weights and buffers → dispatches. Per layer of Llama: norm, qkv with rotation and KV
 * write, attention, output projection onto the residual, norm, gated MLP, down projection onto the residual: seven (and one
 * that quantizes keys and values where the KV cache is int8). What the config's switches add takes dispatches of its own:
 * norms of queries and keys one, norms after blocks one each, experts two for their choice.
 */
import {
  type Device,
  type Dispatch,
  kernels,
  type Pipelines,
  Recorder,
  roundUp,
} from '../../kernels/index.ts'
import type { Matrix } from '../weights/load.ts'
import type { LayerWeights, Norm } from '../weights/model-weights.ts'
import { Attention } from './attention.ts'
import type { DecoderParts } from './decoder-parts.ts'
import { DecoderDispatches, type Stage } from './dispatches.ts'
import { Experts } from './experts.ts'
import { Int8Rows, mayBeInt8, type Rows } from './int8-rows.ts'
import { tilesApart } from './spans.ts'
import { type Output, PLAIN_OUTPUT, Stages } from './stages.ts'

export class Decoder {
  readonly #parts: DecoderParts
  readonly #device: Device
  readonly #recorder: Recorder
  readonly #stages: Stages

  constructor(device: Device, pipelines: Pipelines, parts: DecoderParts) {
    this.#parts = parts
    this.#device = device
    this.#recorder = new Recorder(device, pipelines)
    this.#stages = new Stages(this.#recorder, parts.tunings)
  }

  /** Compiles and binds everything. Throws GpuError that names the kernel. */
  async record(onPipeline: (done: number, total: number) => void): Promise<DecoderDispatches> {
    const { config, weights } = this.#parts
    // The pipelines of one layer of each kind, embedding, head and sampling side by side: drivers take long.
    const kinds = Math.max(config.attention.length, config.sparse.length)
    this.#recorder.startCollecting()
    await this.#graph(weights.layers.slice(0, kinds))
    await this.#recorder.finishCollecting(onPipeline)
    return this.#graph(weights.layers)
  }

  async #graph(layers: readonly LayerWeights[]): Promise<DecoderDispatches> {
    const body: Stage[] = [await this.#embed()]
    for (const [i, layer] of layers.entries()) body.push(...(await this.#layer(layer, i)))
    const { config, sizes } = this.#parts
    const apart = tilesApart(this.#device, config, sizes)
    return new DecoderDispatches(this.#device, apart, body, await this.#head(), {
      countTokens: [await this.#countTokens()],
      sample: [await this.#sample()],
      logprobs: [await this.#logprobs()],
    })
  }

  async #embed(): Promise<Stage> {
    const { weights, buffers, sequences, config } = this.#parts
    const { format, columns, parts } = weights.embedding
    const scale = config.embeddingScale
    const positions = weights.positions ? { positions: weights.positions } : {}
    const dispatches = await Promise.all(
      parts.map(({ rows, start, buffers: part }) => {
        const shape = { format, columns, batch: 1, rows, start, scale }
        return this.#stages.record(
          kernels.embed,
          { ...shape, positions: weights.positions ? 1 : 0 },
          {
            ...part,
            ...positions,
            rows: buffers.rows,
            latest: sequences.latest,
            y: buffers.hidden,
          },
        )
      }),
    )
    return () => dispatches
  }

  /** Each block reads the residual, normed or not, and adds to it, normed or not. */
  async #layer(layer: LayerWeights, index: number): Promise<Stage[]> {
    const { buffers } = this.#parts
    const { mlp } = layer
    const first = mlp.kind === 'gated' ? mlp.gateUp : mlp.kind === 'plain' ? mlp.up : null
    const [attentionNorm, x] = await this.#preNorm(layer.attentionNorm, layer.qkv)
    const [mlpNorm, inner] = await this.#preNorm(layer.mlpNorm, first)
    const attention = new Attention(this.#stages, this.#parts, layer, index)
    return [
      ...attentionNorm,
      ...(await attention.heads(x)),
      ...(await attention.attend()),
      ...(await this.#onto(layer.attentionPostNorm, (y, add) =>
        this.#toHidden(layer.o, buffers.attended, y, add),
      )),
      ...mlpNorm,
      ...(await this.#mlp(layer, inner)),
    ]
  }

  async #mlp(layer: LayerWeights, x: Rows): Promise<Stage[]> {
    const { buffers, config } = this.#parts
    const { mlp } = layer
    const onto = (stages: (y: GPUBuffer, add: 0 | 1) => Promise<Stage>): Promise<Stage[]> =>
      this.#onto(layer.mlpPostNorm, stages)
    if (mlp.kind === 'experts') {
      const experts = new Experts(this.#stages, buffers, config, mlp)
      if (x instanceof Int8Rows) throw new Error('A router reads f32.')
      return [...(await experts.gated(x)), ...(await onto((y, add) => experts.down(y, add)))]
    }
    const { gated: y } = buffers
    const { activation, intermediateSize } = config
    const stride = roundUp(intermediateSize, 32)
    const first =
      mlp.kind === 'plain'
        ? this.#stages.linear(mlp.up, x, y, stride, 0, { ...PLAIN_OUTPUT, output: activation })
        : this.#stages.product(
            kernels.gateUp,
            mlp.gateUp,
            (part) => ({ ...part, activation, stride }),
            { x, y },
          )
    return [await first, ...(await onto((to, add) => this.#toHidden(mlp.down, y, to, add)))]
  }

  /** What a block reads: the residual, or its norm, in eight bits where `reader` alone reads it and may. */
  async #preNorm(norm: Norm | null, reader: Matrix | null): Promise<[stages: Stage[], x: Rows]> {
    const { buffers, sequences } = this.#parts
    const { hidden: x, normed: y } = buffers
    if (!norm) return [[], x]
    const [stage, rows] = await this.#normFor(norm, reader, { x, source: sequences.identity, y })
    return [[stage], rows]
  }

  async #normFor(
    norm: Norm,
    reader: Matrix | null,
    bound: { x: GPUBuffer; source: GPUBuffer; y: GPUBuffer },
  ): Promise<[Stage, Rows]> {
    const { hiddenSize: columns, normEps: eps } = this.#parts.config
    const isInt8 = this.#parts.sizes.activations === 'int8' && reader && mayBeInt8(norm, reader)
    if (!isInt8) return [await this.#norm(norm, bound, 0), bound.y]
    return [await this.#stages.int8Norm(norm, { columns, eps }, bound), new Int8Rows(bound.y)]
  }

  /** A block's last product onto the residual, through a norm where there is one. */
  async #onto(
    norm: Norm | null,
    product: (y: GPUBuffer, add: 0 | 1) => Promise<Stage>,
  ): Promise<Stage[]> {
    const { buffers, sequences } = this.#parts
    const { hidden, branch } = buffers
    if (!norm || !branch) return [await product(hidden, 1)]
    const bound = { x: branch, source: sequences.identity, y: hidden }
    return [await product(branch, 0), await this.#norm(norm, bound, 1)]
  }

  #toHidden(matrix: Matrix, x: GPUBuffer, y: GPUBuffer, add: 0 | 1): Promise<Stage> {
    const { hiddenSize, residualScale: factor } = this.#parts.config
    const output: Output = factor === 1 ? PLAIN_OUTPUT : { output: 'scaled', factor, cap: 0 }
    return this.#stages.linear(matrix, x, y, roundUp(hiddenSize, 32), add, output)
  }

  #norm(
    norm: Norm,
    bound: { x: GPUBuffer; source: GPUBuffer; y: GPUBuffer },
    add: 0 | 1,
  ): Promise<Stage> {
    const { hiddenSize: columns, normEps: eps } = this.#parts.config
    return this.#stages.norm(norm, { columns, eps, add }, bound)
  }

  async #head(): Promise<Stage[]> {
    const { weights, buffers, config } = this.#parts
    const { hidden: x, headSource: source, headInput: y, logits } = buffers
    const { vocabularySize, logitScale: factor, logitCap: cap } = config
    const output: Output =
      cap !== null
        ? { output: 'capped', factor, cap }
        : { ...PLAIN_OUTPUT, output: factor === 1 ? 'plain' : 'scaled', factor }
    // In f32: what is lost before the logits is lost in every probability, and eight bits gain little there.
    return [
      await this.#norm(weights.finalNorm, { x, source, y }, 0),
      await this.#stages.linear(weights.head, y, logits, vocabularySize, 0, output),
    ]
  }

  #countTokens(): Promise<Dispatch> {
    const { entries, latest, counts } = this.#parts.sequences
    const shape = { batch: 1, vocabulary: this.#parts.config.vocabularySize }
    return this.#stages.record(kernels.countTokens, shape, { entries, latest, counts })
  }

  #sample(): Promise<Dispatch> {
    const { buffers, sequences, config } = this.#parts
    const { counts, bias, mask, settings, latest } = sequences
    const { logits, rows, picks } = buffers
    const shape = { batch: 1, vocabulary: config.vocabularySize, mode: 'plain' as const }
    const bound = { logits, counts, bias, mask, rows, picks, settings, latest }
    return this.#stages.record(kernels.sample, shape, bound)
  }

  #logprobs(): Promise<Dispatch> {
    const { buffers, sequences, config } = this.#parts
    const { wanted, latest, details } = sequences
    const { logits, picks } = buffers
    const shape = { batch: 1, vocabulary: config.vocabularySize }
    return this.#stages.record(kernels.logprobs, shape, { logits, picks, wanted, latest, details })
  }
}
