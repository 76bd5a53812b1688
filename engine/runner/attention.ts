/** Attention of a layer in the graph: queries, keys and values in their places, and what attention makes of them. */
import { kernels, type MatmulShape, roundUp } from '../../kernels/index.ts'
import { attentionAt } from '../models/config.ts'
import type { LayerWeights } from '../weights/model-weights.ts'
import type { DecoderParts } from './decoder-parts.ts'
import type { Stage } from './dispatches.ts'
import type { Rows } from './left-rows.ts'
import type { Stages } from './stages.ts'

export class Attention {
  readonly #stages: Stages
  readonly #parts: DecoderParts
  readonly #layer: LayerWeights
  readonly #index: number
  readonly #cache: GPUBuffer
  /** Of its group of layers. */
  readonly #rows: GPUBuffer
  readonly #pageTable: GPUBuffer

  constructor(stages: Stages, parts: DecoderParts, layer: LayerWeights, index: number) {
    this.#stages = stages
    this.#parts = parts
    this.#layer = layer
    this.#index = index
    this.#cache = parts.buffers.kv[index] as GPUBuffer
    const group = parts.buffers.groups[index] as number
    this.#rows = parts.buffers.rowsByGroup[group] as GPUBuffer
    this.#pageTable = parts.sequences.pageTables[group] as GPUBuffer
  }

  /** Queries, keys and values, normed where they are, rotated and in their places. */
  async heads(x: Rows): Promise<Stage[]> {
    const { buffers, sizes, config } = this.#parts
    const cache = this.#cache
    const layer = this.#layer
    const { heads, kvHeads, headDim } = config
    const { q, fresh, projected } = buffers
    const rows = this.#rows
    const { kv, pagesPerSequence: pages } = sizes
    const rotary = buffers.rotary[this.#index] as GPUBuffer
    const bound = { rows, rotary, q, ...(fresh ? { fresh } : { kv_cache: cache }) }
    const shape = { heads, kvHeads, headDim, kv, pages }
    const quantized = fresh ? [await this.#quantize(fresh)] : []
    const weight = layer.queryKeyNorm
    if (!weight || !projected) {
      const shapeOf = (part: MatmulShape) => ({ ...part, ...shape })
      return [
        await this.#stages.product(kernels.qkv, layer.qkv, shapeOf, { ...bound, x }),
        ...quantized,
      ]
    }
    const normed = {
      ...shape,
      batch: 1,
      across: config.queryKeyNorm === 'all' ? 1 : 0,
      eps: config.normEps,
    }
    return [
      await this.#stages.linear(layer.qkv, x, projected, roundUp(layer.qkv.rows, 32), 0),
      await this.#stages.single(kernels.normRotate, normed, { ...bound, projected, weight }),
      ...quantized,
    ]
  }

  #quantize(fresh: GPUBuffer): Promise<Stage> {
    const { config } = this.#parts
    const { kvHeads, headDim } = config
    const shape = { batch: 1, kvHeads, headDim, pages: 0 }
    return this.#stages.single(kernels.kvStore, shape, {
      rows: this.#rows,
      fresh,
      kv_cache: this.#cache,
    })
  }

  /** Attention over the pages, in tiles of one row and of several; spans of keys that were apart are joined. */
  async attend(): Promise<Stage[]> {
    const layer = this.#layer
    const { buffers, sizes, config } = this.#parts
    const { heads, kvHeads, headDim, attentionScale } = config
    const { kv, pagesPerSequence: pages } = sizes
    const own = attentionAt(config, this.#index)
    const window = own.window ?? 0
    const scale = attentionScale * (own.scale ?? 1)
    const shape = {
      ...{ batch: 1, tiles: 1, tileRows: 1, heads, kvHeads, headDim, scale, kv, pages, spans: 1 },
      window,
      cap: config.attentionCap ?? 0,
      sinks: layer.sinks ? 1 : 0,
    }
    const { q, rows, tiles, attended: y, partials } = buffers
    const sinks = layer.sinks ? { sinks: layer.sinks } : {}
    const join = await this.#stages.single(
      kernels.attentionJoin,
      { batch: 1, heads, headDim, pages, window },
      { rows, partials, y },
    )
    return [
      await this.#stages.attention(kernels.attention, shape, {
        ...{ q, rows, page_table: this.#pageTable, tiles, y, partials, kv_cache: this.#cache },
        ...sinks,
      }),
      (variant) => (variant.isApart ? join(variant) : []),
    ]
  }
}
