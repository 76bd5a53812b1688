/**
 * The one decoder graph: a config, weights and buffers → dispatches. Per layer: norm, qkv with rotation and KV write,
 * attention, output projection onto the residual, norm, gated MLP, down projection onto the residual: seven.
 */
import {
  type Device,
  type Dispatch,
  defaultTuning,
  type Kernel,
  type KvType,
  kernels,
  matmulTuning,
  type Pipelines,
  Recorder,
  roundUp,
  type Shape,
  type Tuning,
} from '../../kernels/index.ts'
import type { DecoderConfig } from '../models/config.ts'
import type { Matrix } from '../weights/load.ts'
import type { LayerWeights, ModelWeights } from '../weights/model-weights.ts'
import type { Buffers } from './buffers.ts'

export interface DecoderParts {
  readonly config: DecoderConfig
  readonly weights: ModelWeights
  readonly buffers: Buffers
  readonly kv: KvType
  readonly pages: number
}

/** Dispatches by what they are for; a step runs some of them, in this order, in one pass. */
export interface DecoderDispatches {
  readonly prefill: readonly Dispatch[]
  readonly decode: readonly Dispatch[]
  /** Final norm and head over the rows named by `headSource`. */
  readonly prefillHead: readonly Dispatch[]
  readonly decodeHead: readonly Dispatch[]
  readonly sample: readonly Dispatch[]
}

export class Decoder {
  readonly #parts: DecoderParts
  readonly #device: Device
  readonly #recorder: Recorder
  readonly #stride: number

  constructor(device: Device, pipelines: Pipelines, parts: DecoderParts) {
    this.#parts = parts
    this.#device = device
    this.#recorder = new Recorder(device, pipelines)
    this.#stride = roundUp(parts.config.hiddenSize, 32)
  }

  /** Compiles and binds everything. Throws GpuError that names the kernel. */
  async record(onPipeline: (done: number, total: number) => void): Promise<DecoderDispatches> {
    const { weights, buffers } = this.#parts
    await this.#compileAhead(onPipeline)
    return {
      prefill: await this.#body(buffers.prefillRows, 2),
      decode: await this.#body(buffers.decodeRows, 1),
      prefillHead: await this.#head(weights, buffers.headSource),
      decodeHead: await this.#head(weights, buffers.identity),
      sample: [await this.#sample()],
    }
  }

  /** Compiles the pipelines of a layer, embedding, head and sampling side by side: drivers take long. */
  async #compileAhead(onPipeline: (done: number, total: number) => void): Promise<void> {
    const { weights, buffers } = this.#parts
    const first = weights.layers[0]
    this.#recorder.startCollecting()
    for (const batch of [1, 2]) {
      if (first) await this.#layer(first, buffers.kv[0] as GPUBuffer, buffers.decodeRows, batch)
    }
    await this.#embed(buffers.decodeRows)
    await this.#head(weights, buffers.identity)
    await this.#sample()
    await this.#recorder.finishCollecting(onPipeline)
  }

  async #body(rows: GPUBuffer, batch: number): Promise<Dispatch[]> {
    const { weights, buffers } = this.#parts
    const dispatches = await this.#embed(rows)
    for (const [i, layer] of weights.layers.entries()) {
      dispatches.push(...(await this.#layer(layer, buffers.kv[i] as GPUBuffer, rows, batch)))
    }
    return dispatches
  }

  async #embed(rows: GPUBuffer): Promise<Dispatch[]> {
    const { weights, buffers } = this.#parts
    const { format, columns, parts } = weights.embedding
    return Promise.all(
      parts.map((part) => {
        const shape = { format, columns, batch: 1, rows: part.rows, start: part.start }
        return this.#recorder.record(kernels.embed, shape, this.#tuning(kernels.embed, shape), {
          ...part.buffers,
          rows,
          y: buffers.hidden,
        })
      }),
    )
  }

  async #layer(
    layer: LayerWeights,
    kvCache: GPUBuffer,
    rows: GPUBuffer,
    batch: number,
  ): Promise<Dispatch[]> {
    const { buffers, kv, pages, config } = this.#parts
    const { heads, kvHeads, headDim, activation } = config
    const { hidden, normed, q, attended, gated, rotary, pageTable, identity } = buffers
    const attention = { batch, heads, kvHeads, headDim, scale: headDim ** -0.5, kv, pages }
    return [
      await this.#norm(hidden, layer.attentionNorm, identity, normed),
      ...(await this.#product(layer.qkv, batch, (shape, part) =>
        this.#recorder.record(
          kernels.qkv,
          { ...shape, heads, kvHeads, headDim, kv, pages },
          matmulTuning(batch, this.#device.caps),
          { ...part, x: normed, bias: layer.qkv.bias, rows, rotary, q, kv_cache: kvCache },
        ),
      )),
      await this.#recorder.record(
        kernels.attention,
        attention,
        this.#tuning(kernels.attention, attention),
        {
          q,
          rows,
          page_table: pageTable,
          y: attended,
          kv_cache: kvCache,
        },
      ),
      ...(await this.#linear(layer.o, batch, attended, hidden, this.#stride, 1)),
      await this.#norm(hidden, layer.mlpNorm, identity, normed),
      ...(await this.#product(layer.gateUp, batch, (shape, part) =>
        this.#recorder.record(
          kernels.gateUp,
          { ...shape, activation, stride: roundUp(config.intermediateSize, 32) },
          matmulTuning(batch, this.#device.caps),
          { ...part, x: normed, bias: layer.gateUp.bias, y: gated },
        ),
      )),
      ...(await this.#linear(layer.down, batch, gated, hidden, this.#stride, 1)),
    ]
  }

  #norm(x: GPUBuffer, weight: GPUBuffer, source: GPUBuffer, y: GPUBuffer): Promise<Dispatch> {
    const { hiddenSize: columns, normEps: eps } = this.#parts.config
    const shape = { rows: 1, columns, eps }
    return this.#recorder.record(kernels.rmsNorm, shape, this.#tuning(kernels.rmsNorm, shape), {
      x,
      weight,
      source,
      y,
    })
  }

  /** One dispatch for each part of a matrix. */
  #product(
    matrix: Matrix,
    batch: number,
    record: (shape: MatmulPart, buffers: Readonly<Record<string, GPUBuffer>>) => Promise<Dispatch>,
  ): Promise<Dispatch[]> {
    const { format, columns } = matrix
    return Promise.all(
      matrix.parts.map((part) =>
        record({ format, columns, batch, rows: part.rows, start: part.start }, part.buffers),
      ),
    )
  }

  #linear(
    matrix: Matrix,
    batch: number,
    x: GPUBuffer,
    y: GPUBuffer,
    stride: number,
    add: number,
  ): Promise<Dispatch[]> {
    return this.#product(matrix, batch, (shape, part) =>
      this.#recorder.record(
        kernels.linear,
        { ...shape, add, stride, total: matrix.rows },
        matmulTuning(batch, this.#device.caps),
        { ...part, x, bias: matrix.bias, y },
      ),
    )
  }

  async #head(weights: ModelWeights, source: GPUBuffer): Promise<Dispatch[]> {
    const { buffers, config } = this.#parts
    return [
      await this.#norm(buffers.hidden, weights.finalNorm, source, buffers.headInput),
      ...(await this.#linear(
        weights.head,
        1,
        buffers.headInput,
        buffers.logits,
        config.vocabularySize,
        0,
      )),
    ]
  }

  #sample(): Promise<Dispatch> {
    const { buffers, config, pages } = this.#parts
    const shape = { batch: 1, vocabulary: config.vocabularySize, pages, mode: 'plain' as const }
    return this.#recorder.record(kernels.sample, shape, this.#tuning(kernels.sample, shape), {
      logits: buffers.logits,
      counts: buffers.counts,
      picks: buffers.picks,
      settings: buffers.settings,
      page_table: buffers.pageTable,
      next: buffers.decodeRows,
      ids: buffers.ids,
    })
  }

  #tuning<S extends Shape, T extends Tuning>(kernel: Kernel<S, T>, shape: S): T {
    return defaultTuning(kernel, shape, this.#device.caps)
  }
}

interface MatmulPart {
  format: string
  columns: number
  batch: number
  rows: number
  start: number
}
