/**
 * The one decoder graph: a config, weights and buffers → dispatches. Per layer of Llama: qkv with rotation and KV write,
 * attention, output projection onto the residual, gated MLP, down projection onto the residual: five, in which the norms
 * between them are folded (residual.ts); seven in steps of several rows. An int8 KV cache takes one more, which quantizes
 * keys and values. What the config's switches add takes dispatches of its own: norms of queries and keys one, norms after
 * blocks one each and what they keep from being folded, experts two for their choice.
 */
import {
  type Device,
  type Dispatch,
  kernels,
  type Pipelines,
  Recorder,
  roundUp,
} from '../../kernels/index.ts'
import type { LayerWeights } from '../weights/model-weights.ts'
import { Attention } from './attention.ts'
import type { DecoderParts } from './decoder-parts.ts'
import { DecoderDispatches, type Stage } from './dispatches.ts'
import { Experts } from './experts.ts'
import { LeftRows, type Rows } from './left-rows.ts'
import { attentionEnd, attentionReader, mlpEnd, mlpReader, Residual } from './residual.ts'
import { tilesApart } from './spans.ts'
import { type Output, PLAIN_OUTPUT, Stages } from './stages.ts'

export class Decoder {
  readonly #parts: DecoderParts
  readonly #device: Device
  readonly #recorder: Recorder
  readonly #stages: Stages
  readonly #residual: Residual

  constructor(device: Device, pipelines: Pipelines, parts: DecoderParts) {
    this.#parts = parts
    this.#device = device
    this.#recorder = new Recorder(device, pipelines)
    this.#stages = new Stages(this.#recorder, parts.tunings)
    this.#residual = new Residual(this.#stages, parts)
  }

  /** Binds everything; what is compiled when is warmUp's to say. Throws GpuError that names the kernel. */
  record(): Promise<DecoderDispatches> {
    return this.#recorder.bindingTogether(() => this.#graph(this.#parts.weights.layers))
  }

  async #graph(layers: readonly LayerWeights[]): Promise<DecoderDispatches> {
    const body: Stage[] = [await this.#embed()]
    for (const [i, layer] of layers.entries()) {
      body.push(...(await this.#layer(layer, i, layers[i - 1], layers[i + 1])))
    }
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

  /** Each block reads the residual, normed or not, and adds to it, normed or not. `before`, `after`: the layers beside. */
  async #layer(
    layer: LayerWeights,
    index: number,
    before: LayerWeights | undefined,
    after: LayerWeights | undefined,
  ): Promise<Stage[]> {
    const { buffers } = this.#parts
    const [end, reader, own] = [attentionEnd(layer), mlpReader(layer), attentionReader(layer)]
    const [attentionNorm, x] = await this.#residual.read(before ? mlpEnd(before) : null, own)
    const [mlpNorm, inner] = await this.#residual.read(end, reader)
    const attention = new Attention(this.#stages, this.#parts, layer, index)
    return [
      ...attentionNorm,
      ...(await attention.heads(x)),
      ...(await attention.attend()),
      ...(await this.#residual.end({ ...end, matrix: layer.o }, buffers.attended, reader)),
      ...mlpNorm,
      ...(await this.#mlp(layer, inner, after)),
    ]
  }

  async #mlp(layer: LayerWeights, x: Rows, after: LayerWeights | undefined): Promise<Stage[]> {
    const { buffers, config } = this.#parts
    const { mlp } = layer
    const end = mlpEnd(layer)
    if (mlp.kind === 'experts') {
      const experts = new Experts(this.#stages, buffers, config, mlp)
      if (x instanceof LeftRows) throw new Error('A router reads rows that are normed, in f32.')
      const onto = this.#residual.onto(end, (y, add) => experts.down(y, add))
      return [...(await experts.gated(x)), ...(await onto)]
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
    // What the last layer leaves nobody reads: it shares its programs with the others.
    const next = attentionReader(after ?? layer)
    return [await first, ...(await this.#residual.end({ ...end, matrix: mlp.down }, y, next))]
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
      await this.#residual.norm(weights.finalNorm, { x, source, y }, 0),
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
