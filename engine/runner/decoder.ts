/**
 * The one decoder graph: a config, weights and buffers → dispatches. Per layer: norm, qkv with rotation and KV write,
 * attention, output projection onto the residual, norm, gated MLP, down projection onto the residual: seven (and one that
 * quantizes keys and values where the KV cache is int8).
 */
import {
  ATTENTION_TILE,
  attentionTuning,
  type Device,
  type Dispatch,
  defaultTuning,
  type Kernel,
  kernels,
  matmulTuning,
  type Pipelines,
  Recorder,
  ROW_TILE,
  roundUp,
  type Shape,
  type Tuning,
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
      await this.#product(layer.qkv, (shape, tuning, part) =>
        this.#recorder.record(
          kernels.qkv,
          { ...shape, heads, kvHeads, headDim, kv, pages },
          tuning,
          { ...part, ...store, x: normed, bias: layer.qkv.bias, rows, rotary, q },
        ),
      ),
      ...(fresh ? [await this.#quantize(fresh, cache)] : []),
      await this.#attention(cache),
      await this.#linear(layer.o, attended, hidden, roundUp(config.hiddenSize, 32), 1),
      await this.#norm(hidden, layer.mlpNorm, sequences.identity, normed),
      await this.#product(layer.gateUp, (shape, tuning, part) =>
        this.#recorder.record(
          kernels.gateUp,
          { ...shape, activation, stride: roundUp(config.intermediateSize, 32) },
          tuning,
          { ...part, x: normed, bias: layer.gateUp.bias, y: gated },
        ),
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
    const { buffers, sequences, sizes, config } = this.#parts
    const { heads, kvHeads, headDim } = config
    const record = (tileRows: number): Promise<Dispatch> => {
      const scale = headDim ** -0.5
      const { kv, pagesPerSequence: pages } = sizes
      const shape = { batch: 1, tiles: 1, tileRows, heads, kvHeads, headDim, scale, kv, pages }
      return this.#recorder.record(
        kernels.attention,
        shape,
        attentionTuning(shape, this.#device.caps),
        {
          q: buffers.q,
          rows: buffers.rows,
          page_table: sequences.pageTable,
          tiles: buffers.tiles,
          y: buffers.attended,
          kv_cache: cache,
        },
      )
    }
    const by = { one: [await record(1)], several: [await record(ATTENTION_TILE)] }
    return ({ attention }) => by[attention]
  }

  async #norm(x: GPUBuffer, weight: GPUBuffer, source: GPUBuffer, y: GPUBuffer): Promise<Stage> {
    const { hiddenSize: columns, normEps: eps } = this.#parts.config
    const shape = { rows: 1, columns, eps }
    const dispatch = await this.#record(kernels.rmsNorm, shape, { x, weight, source, y })
    return () => [dispatch]
  }

  /** One dispatch for each part of a matrix. */
  async #product(
    matrix: Matrix,
    record: (
      shape: MatmulPart,
      tuning: ReturnType<typeof matmulTuning>,
      buffers: Readonly<Record<string, GPUBuffer>>,
    ) => Promise<Dispatch>,
  ): Promise<Stage> {
    const { format, columns, parts } = matrix
    const tiled = (batch: number): Promise<Dispatch[]> => {
      const tuning = matmulTuning(batch, this.#device.caps)
      return Promise.all(
        parts.map((part) =>
          record(
            { format, columns, batch, rows: part.rows, start: part.start },
            tuning,
            part.buffers,
          ),
        ),
      )
    }
    const by = { one: await tiled(1), several: await tiled(ROW_TILE) }
    return ({ product }) => by[product]
  }

  #linear(matrix: Matrix, x: GPUBuffer, y: GPUBuffer, stride: number, add: number): Promise<Stage> {
    return this.#product(matrix, (shape, tuning, part) =>
      this.#recorder.record(kernels.linear, { ...shape, add, stride, total: matrix.rows }, tuning, {
        ...part,
        x,
        bias: matrix.bias,
        y,
      }),
    )
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
    const tuning = defaultTuning(kernel, shape, this.#device.caps)
    return this.#recorder.record(kernel, shape, tuning, buffers)
  }
}

interface MatmulPart {
  format: string
  columns: number
  batch: number
  rows: number
  start: number
}
