/** How rows that were read get into a part of a matrix on the GPU: packed by the host, or quantized by the GPU. */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  BLOCK_ROWS,
  type Device,
  type Format,
  formatOf,
  type SourceRows,
} from '../../kernels/index.ts'
import type { QuantizedPart, QuantizeRows, Quantizer } from './quantizer.ts'
import { inOrder, packRows } from './rows.ts'
import type { Staging, Target } from './staging.ts'

export interface Writer {
  /** Row blocks at once. */
  readonly step: number
  /** Writes the rows that `order` names from row block `block` on. */
  put(rows: SourceRows, order: Uint32Array, block: number, staging: Staging): Promise<void>
}

const CHUNK_BYTES = 2 ** 20

/** Packs straight into what is staged. */
export function packer(
  format: Format,
  columns: number,
  buffers: Readonly<Record<string, GPUBuffer>>,
): Writer {
  const per = format.wordsPerRowBlock(columns)
  return {
    step: Math.max(1, Math.floor(CHUNK_BYTES / (per.words * 4))),
    put(rows, order, block, staging) {
      const blocks = Math.ceil(order.length / BLOCK_ROWS)
      const target = (buffer: GPUBuffer, words: number): Target => {
        return { buffer, offset: block * words * 4, bytes: blocks * words * 4 }
      }
      const scales = buffers.w_scale ? [target(buffers.w_scale, per.scales)] : []
      return staging.write([target(buffers.w as GPUBuffer, per.words), ...scales], (into) => {
        const words = per.words * blocks
        const packed = { words: into.subarray(0, words), scales: into.subarray(words) }
        packRows(format, rows, order, columns, packed)
      })
    },
  }
}

const FLUSH_BYTES = 8 * 2 ** 20
/** Of the expected time of a wait. */
const ASLEEP = 0.85

export class QuantizingWriters {
  readonly #device: Device
  readonly #quantizer: Quantizer
  #unflushed = 0
  /** Milliseconds that the last wait took, a byte. */
  #pace = 0

  constructor(device: Device, quantizer: Quantizer) {
    this.#device = device
    this.#quantizer = quantizer
  }

  writer(part: QuantizedPart): Writer {
    const { columns, from } = part
    const width = formatOf(from).rowBytes(columns).weight
    let quantize: QuantizeRows | null = null
    return {
      step: this.#quantizer.mostRows(part) / BLOCK_ROWS,
      put: async (rows, order, block) => {
        // Not before its turn: what a part binds may be replaced by larger buffers for the next.
        quantize ??= await this.#quantizer.into(part)
        const weight = inOrder(rows.weight, order, width)
        quantize.put(weight, order.length, block)
        await this.#flush(weight.byteLength)
      },
    }
  }

  /**
   * Waits now and then, so that what the queue has not taken yet never grows past a bound. Dawn polls at full speed while
   * it waits, which takes a core from a CPU adapter: most of the time is slept.
   */
  async #flush(bytes: number): Promise<void> {
    this.#unflushed += bytes
    if (this.#unflushed < FLUSH_BYTES) return
    const begun = performance.now()
    this.#device.gpu.queue.submit([])
    const asleep = this.#unflushed * this.#pace * ASLEEP
    if (asleep >= 2) await sleep(asleep)
    await this.#device.gpu.queue.onSubmittedWorkDone()
    this.#device.check()
    this.#pace = (performance.now() - begun) / this.#unflushed
    this.#unflushed = 0
  }
}
