/**
 * The one decoder graph: a config, weights and buffers → dispatches. Per layer: norm, qkv with rotation and KV write,
 * attention, output projection onto the residual, norm, gated MLP, down projection onto the residual: seven (and one that
 * quantizes keys and values where the KV cache is int8).
 */
import {
  type Device,
  type Dispatch,
  formsOf,
  type Kernel,
  kernels,
  type MatmulShape,
  type MatmulTuning,
  type Pipelines,
  Recorder,
  roundUp,
  type Shape,
  type Tuning,
  type Tunings,
} from '../../kernels/index.ts'
import type { DecoderConfig } from '../models/config.ts'
import type { Matrix } from '../weights/load.ts'
import type { LayerWeights, ModelWeights } from '../weights/model-weights.ts'
import type { ModelBuffers, SequenceBuffers } from './buffers.ts'
import { DecoderDispatches, type Stage } from './dispatches.ts'
import type { Sizes } from './sizes.ts'

export interface DecoderParts {
  readonly config: DecoderConfig
  readonly weights: ModelWeights
  readonly buffers: ModelBuffers
  readonly sequences: SequenceBuffers
  readonly sizes: Sizes
  readonly tunings: Tunings
}

export class Decoder {
  readonly #parts: DecoderParts
  readonly #device: Device
  readonly #recorder: Recorder

  constructor(device: Device, pipelines: Pipelines, parts: DecoderParts) {
    this.#parts = parts
    this.#device = device
    this.#recorder = new Recorder(device, pipelines)
  }

  /** Compiles and binds everything. Throws GpuError that names the kernel. */
  async record(onPipeline: (done: number, total: number) => void): Promise<DecoderDispatches> {
    const { layers } = this.#parts.weights
    // The pipelines of one layer, embedding, head and sampling side by side: drivers take long.
    this.#recorder.startCollecting()
    await this.#graph(layers.slice(0, 1))
    await this.#recorder.finishCollecting(onPipeline)
    return this.#graph(layers)
  }

  async #graph(layers: readonly LayerWeights[]): Promise<DecoderDispatches> {
    const body: Stage[] = [await this.#embed()]
    for (const [i, layer] of layers.entries()) body.push(...(await this.#layer(layer, i)))
    return new DecoderDispatches(this.#device, body, await this.#head(), {
      countTokens: [await this.#countTokens()],
      sample: [await this.#sample()],
      logprobs: [await this.#logprobs()],
    })
  }

  async #embed(): Promise<Stage> {
    const { weights, buffers, sequences } = this.#parts
    const { format, columns, parts } = weights.embedding
    const dispatches = await Promise.all(
      parts.map((part) => {
        const shape = { format, columns, batch: 1, rows: part.rows, start: part.start }
        return this.#record(kernels.embed, shape, {
          ...part.buffers,
          rows: buffers.rows,
          latest: sequences.latest,
          y: buffers.hidden,
        })
      }),
    )
    return () => dispatches
  }

  async #layer(layer: LayerWeights, index: number): Promise<Stage[]> {
    const { buffers, sequences, sizes, config } = this.#parts
    const { heads, kvHeads, headDim, activation } = config
    const { hidden, normed, q, attended, gated, rotary, rows, fresh } = buffers
    const { kv, pagesPerSequence: pages } = sizes
    const cache = buffers.kv[index] as GPUBuffer
    const store = fresh ? { fresh } : { kv_cache: cache }
    return [
      await this.#norm(hidden, layer.attentionNorm, sequences.identity, normed),
      await this.#product(
        kernels.qkv,
        layer.qkv,
        (part) => ({ ...part, heads, kvHeads, headDim, kv, pages }),
        { ...store, x: normed, rows, rotary, q },
      ),
      ...(fresh ? [await this.#quantize(fresh, cache)] : []),
      await this.#attention(cache),
      await this.#linear(layer.o, attended, hidden, roundUp(config.hiddenSize, 32), 1),
      await this.#norm(hidden, layer.mlpNorm, sequences.identity, normed),
      await this.#product(
        kernels.gateUp,
        layer.gateUp,
        (part) => ({ ...part, activation, stride: roundUp(config.intermediateSize, 32) }),
        { x: normed, y: gated },
      ),
      await this.#linear(layer.down, gated, hidden, roundUp(config.hiddenSize, 32), 1),
    ]
  }

  async #quantize(fresh: GPUBuffer, cache: GPUBuffer): Promise<Stage> {
    const { buffers, config } = this.#parts
    const { kvHeads, headDim } = config
    const shape = { batch: 1, kvHeads, headDim, pages: 0 }
    const { rows } = buffers
    const dispatch = await this.#record(kernels.kvStore, shape, { rows, fresh, kv_cache: cache })
    return () => [dispatch]
  }

  async #attention(cache: GPUBuffer): Promise<Stage> {
    const { buffers, sequences, sizes, config, tunings } = this.#parts
    const { heads, kvHeads, headDim } = config
    const scale = headDim ** -0.5
    const { kv, pagesPerSequence: pages } = sizes
    const shape = { batch: 1, tiles: 1, tileRows: 1, heads, kvHeads, headDim, scale, kv, pages }
    const tuned = tunings.of(kernels.attention, shape)
    const shapes = formsOf(kernels.attention, shape)
    const record = (form: 'one' | 'several'): Promise<Dispatch> =>
      this.#recorder.record(kernels.attention, shapes[form], tuned[form], {
        q: buffers.q,
        rows: buffers.rows,
        page_table: sequences.pageTable,
        tiles: buffers.tiles,
        y: buffers.attended,
        kv_cache: cache,
      })
    const by = { one: [await record('one')], several: [await record('several')] }
    return ({ attention }) => by[attention]
  }

  async #norm(x: GPUBuffer, weight: GPUBuffer, source: GPUBuffer, y: GPUBuffer): Promise<Stage> {
    const { hiddenSize: columns, normEps: eps } = this.#parts.config
    const shape = { rows: 1, columns, eps }
    const dispatch = await this.#record(kernels.rmsNorm, shape, { x, weight, source, y })
    return () => [dispatch]
  }

  /** One dispatch for each part of a matrix. */
  async #product<S extends MatmulShape>(
    kernel: Kernel<S, MatmulTuning>,
    matrix: Matrix,
    shapeOf: (part: MatmulShape) => S,
    buffers: Readonly<Record<string, GPUBuffer>>,
  ): Promise<Stage> {
    const { format, columns, parts, bias } = matrix
    const inForm = (form: 'one' | 'several'): Promise<Dispatch[]> =>
      Promise.all(
        parts.map(({ rows, start, buffers: own }) => {
          const shape = shapeOf({ format, columns, batch: 1, rows, start })
          const tuning = this.#parts.tunings.of(kernel, shape)[form]
          const bound = { ...own, ...buffers, bias }
          return this.#recorder.record(kernel, formsOf(kernel, shape)[form], tuning, bound)
        }),
      )
    const by = { one: await inForm('one'), several: await inForm('several') }
    return ({ product }) => by[product]
  }

  #linear(matrix: Matrix, x: GPUBuffer, y: GPUBuffer, stride: number, add: number): Promise<Stage> {
    const total = matrix.rows
    return this.#product(kernels.linear, matrix, (part) => ({ ...part, add, stride, total }), {
      x,
      y,
    })
  }

  async #head(): Promise<Stage[]> {
    const { weights, buffers, config } = this.#parts
    const { hidden, headSource, headInput, logits } = buffers
    return [
      await this.#norm(hidden, weights.finalNorm, headSource, headInput),
      await this.#linear(weights.head, headInput, logits, config.vocabularySize, 0),
    ]
  }

  #countTokens(): Promise<Dispatch> {
    const { entries, latest, counts } = this.#parts.sequences
    const shape = { batch: 1, vocabulary: this.#parts.config.vocabularySize }
    return this.#record(kernels.countTokens, shape, { entries, latest, counts })
  }

  #sample(): Promise<Dispatch> {
    const { buffers, sequences, config } = this.#parts
    const { counts, bias, mask, settings, latest } = sequences
    const { logits, rows, picks } = buffers
    const shape = { batch: 1, vocabulary: config.vocabularySize, mode: 'plain' as const }
    const bound = { logits, counts, bias, mask, rows, picks, settings, latest }
    return this.#record(kernels.sample, shape, bound)
  }

  #logprobs(): Promise<Dispatch> {
    const { buffers, sequences, config } = this.#parts
    const { wanted, latest, details } = sequences
    const { logits, picks } = buffers
    const shape = { batch: 1, vocabulary: config.vocabularySize }
    return this.#record(kernels.logprobs, shape, { logits, picks, wanted, latest, details })
  }

  #record<S extends Shape, T extends Tuning>(
    kernel: Kernel<S, T>,
    shape: S,
    buffers: Readonly<Record<string, GPUBuffer>>,
  ): Promise<Dispatch> {
    const { one: tuning } = this.#parts.tunings.of(kernel, shape)
    return this.#recorder.record(kernel, shape, tuning, buffers)
  }
}
