/**
 * Quantizes rows of floats on the GPU, chunk by chunk, straight into the buffers that the matrix will be read from. What a
 * group becomes depends on its values alone, so rows may come in any order.
 */
import {
  BLOCK_ROWS,
  type Device,
  type FloatName,
  formatOf,
  kernels,
  type Pipelines,
  quantizedFormat,
  Recorder,
  replay,
} from '../../kernels/index.ts'
import type { QuantizationConfig } from '../models/config.ts'

/** Source bytes a dispatch takes, and never less than a row block. */
const CHUNK_BYTES = 4 * 2 ** 20

/** A matrix to write, or a part of one. */
export interface QuantizedPart {
  /** `w` and `w_scale`, with room for its row blocks. */
  readonly buffers: Readonly<Record<string, GPUBuffer>>
  readonly columns: number
  /** Id of the floats' format. */
  readonly from: string
  readonly to: QuantizationConfig
  /** Number under which values that cannot be quantized are noted. */
  readonly matrix: number
}

export interface QuantizeRows {
  /** Rows that `put` takes at once, at most: whole row blocks. */
  readonly most: number
  /** Queues rows, one after another, to be written from row block `block` on. */
  put(rows: Uint8Array, count: number, block: number): void
}

export class Quantizer {
  readonly #device: Device
  readonly #recorder: Recorder
  readonly #job: GPUBuffer
  readonly #faults: GPUBuffer
  readonly #matrices: number
  #source: GPUBuffer | null = null

  private constructor(
    device: Device,
    pipelines: Pipelines,
    matrices: number,
    buffers: { job: GPUBuffer; faults: GPUBuffer },
  ) {
    this.#device = device
    this.#recorder = new Recorder(device, pipelines)
    this.#matrices = matrices
    this.#job = buffers.job
    this.#faults = buffers.faults
  }

  /** @param matrices numbers that parts may have, from 0 */
  static async open(device: Device, pipelines: Pipelines, matrices: number): Promise<Quantizer> {
    const { memory } = device
    const job = await memory.storage('quantize job', 'weights', 16)
    const faults = await memory.storage('quantize faults', 'weights', matrices * 4)
    return new Quantizer(device, pipelines, matrices, { job, faults })
  }

  /** Rows of a chunk, at most: whole row blocks. */
  mostRows({ columns, from }: Pick<QuantizedPart, 'columns' | 'from'>): number {
    const blockBytes = formatOf(from).rowBytes(columns).weight * BLOCK_ROWS
    return Math.max(1, Math.floor(CHUNK_BYTES / blockBytes)) * BLOCK_ROWS
  }

  /** What writes into a part. Throws GpuError. */
  async into({ buffers, columns, from, to, matrix }: QuantizedPart): Promise<QuantizeRows> {
    const { memory } = this.#device
    const source = from as FloatName
    const { bits, groupSize: group } = to
    const { weight: width } = formatOf(source).rowBytes(columns)
    const most = this.mostRows({ columns, from })
    const shape = { source, bits, group, rows: most, columns, rowBlock: 0 }
    const staging = await this.#staging(most * width)
    const own = { ...buffers, source: staging, job: this.#job, faults: this.#faults }
    const dispatch = await this.#recorder.record(kernels.quantize, shape, {}, own)
    const put: QuantizeRows['put'] = (rows, count, block) => {
      // Writes and submits are done in the order they are queued in, so one buffer serves every chunk.
      memory.write(staging, 0, rows)
      memory.write(this.#job, 0, new Uint32Array([columns / 32, count, block, matrix]))
      replay(this.#device, [{ dispatches: [dispatch], rows: count }])
    }
    return { most, put }
  }

  /** Makes room for the largest chunk so far. */
  async #staging(bytes: number): Promise<GPUBuffer> {
    if (this.#source && this.#source.size >= bytes) return this.#source
    const smaller = this.#source
    this.#source = await this.#device.memory.storage('quantize source', 'weights', bytes)
    if (smaller) this.#device.memory.free(smaller)
    return this.#source
  }

  /** Waits for everything queued. @returns the least number of a matrix with a value that cannot be quantized, or null */
  async finish(): Promise<number | null> {
    const bytes = await readWords(this.#device, this.#faults, this.#matrices)
    const found = bytes.indexOf(1)
    return found < 0 ? null : found
  }

  /** Frees its own buffers. */
  close(): void {
    for (const buffer of [this.#job, this.#faults, this.#source]) {
      if (buffer) this.#device.memory.free(buffer)
    }
  }
}

/** The first words of a buffer, once everything queued is done. */
export async function readWords(
  device: Device,
  buffer: GPUBuffer,
  words: number,
): Promise<Uint32Array> {
  const bytes = words * 4
  const staging = await device.memory.readback('quantize read back', bytes)
  try {
    replay(device, [], [{ from: buffer, fromOffset: 0, to: staging, toOffset: 0, bytes }])
    await staging.mapAsync(GPUMapMode.READ, 0, bytes)
    device.check()
    return new Uint32Array(staging.getMappedRange(0, bytes).slice(0))
  } finally {
    device.memory.free(staging)
  }
}

/** Names of the weights' formats, as a checkpoint would have them once quantized. */
export const formatOfQuantized = ({ bits, groupSize }: QuantizationConfig) =>
  formatOf(quantizedFormat(bits, groupSize))
