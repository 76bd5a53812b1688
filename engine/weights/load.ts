/**
 * Streams matrices from a checkpoint to the GPU in bounded chunks, packed by their format. A matrix may be fused of
 * several modules (q, k, v; gate, up) with its rows in an order of its own, and is split by rows where it would not fit
 * a binding. Peak host memory does not depend on the size of the model.
 */
import {
  BLOCK_ROWS,
  type Device,
  type Format,
  formatOf,
  type SourceRows,
} from '../../kernels/index.ts'
import { EngineError } from '../errors.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { WeightFormat } from './expected.ts'
import { byModule, copyRow, encodeAs, packRows, runsOf } from './rows.ts'
import { biasOf, type MatrixSource, type StoredRows, tensorOf } from './sources.ts'
import { StoredReader } from './stored-reader.ts'
import { readFloats } from './vectors.ts'

/** A run of row blocks in buffers of its own. */
export interface MatrixPart {
  /** First row pair. */
  readonly start: number
  readonly rows: number
  readonly buffers: Readonly<Record<string, GPUBuffer>>
}

export interface Matrix {
  readonly format: string
  readonly rows: number
  readonly columns: number
  /** (row 2p, row 2p + 1) for every pair; zeros without biases. */
  readonly bias: GPUBuffer
  readonly parts: readonly MatrixPart[]
}

const CHUNK_BYTES = 2 ** 20
const FLUSH_BYTES = 8 * 2 ** 20

export class WeightLoader {
  readonly #device: Device
  readonly #checkpoint: Checkpoint
  readonly #formats: ReadonlyMap<string, WeightFormat>
  readonly #reader: StoredReader
  #unflushed = 0

  constructor(
    device: Device,
    checkpoint: Checkpoint,
    formats: ReadonlyMap<string, WeightFormat>,
    onBytes: (bytes: number) => void,
  ) {
    this.#device = device
    this.#checkpoint = checkpoint
    this.#formats = formats
    this.#reader = new StoredReader(checkpoint, onBytes)
  }

  /** Values of a vector as f32. */
  values(name: string): Promise<Float32Array> {
    return readFloats(this.#checkpoint, name)
  }

  /** Uploads numbers as f32, padded with zeros to `length`. */
  async upload(label: string, numbers: Float32Array, length: number): Promise<GPUBuffer> {
    const padded = new Float32Array(length)
    padded.set(numbers)
    const buffer = await this.#device.memory.storage(label, 'weights', padded.byteLength)
    this.#device.memory.write(buffer, 0, padded)
    return buffer
  }

  async matrix(source: MatrixSource): Promise<Matrix> {
    const own = source.modules.map((module) => this.#formatOf(module))
    const same = own.every((format) => format.id === own[0]?.id)
    // Modules of different formats meet in f32: larger, but right.
    const format = same ? (own[0] as Format) : formatOf('f32')
    const parts: MatrixPart[] = []
    const { words } = format.wordsPerRowBlock(source.columns)
    const most = Math.max(1, Math.floor(this.#device.caps.maxBinding / (words * 4))) * BLOCK_ROWS
    for (let first = 0; first < source.rows; first += most) {
      const rows = Math.min(most, source.rows - first)
      parts.push(await this.#part(source, own, format, first, rows))
    }
    this.#reader.release()
    const bias = await this.#bias(source)
    return { format: format.id, rows: source.rows, columns: source.columns, bias, parts }
  }

  #formatOf(module: StoredRows): Format {
    const { path } = module
    const kind = this.#formats.get(path)
    if (!kind)
      throw new EngineError('model', `${tensorOf(module)}: its weight format is not known.`)
    if (kind.kind === 'float') return formatOf(kind.dtype.toLowerCase())
    const scale = this.#checkpoint.info(`${path}.scales`).dtype.toLowerCase()
    return formatOf(`affine${kind.bits}/${kind.groupSize}/${scale}`)
  }

  async #part(
    source: MatrixSource,
    own: readonly Format[],
    format: Format,
    first: number,
    rows: number,
  ): Promise<MatrixPart> {
    const { memory } = this.#device
    const per = format.wordsPerRowBlock(source.columns)
    const blocks = Math.ceil(rows / BLOCK_ROWS)
    const buffers: Record<string, GPUBuffer> = {}
    buffers.w = await memory.storage(`${source.label} words`, 'weights', per.words * 4 * blocks)
    if (per.scales > 0) {
      buffers.w_scale = await memory.storage(
        `${source.label} scales`,
        'weights',
        per.scales * 4 * blocks,
      )
    }
    const step = Math.max(1, Math.floor(CHUNK_BYTES / (per.words * 4)))
    for (let block = 0; block < blocks; block += step) {
      const count = Math.min(step, blocks - block)
      const packed = {
        words: new Uint32Array(per.words * count),
        scales: new Uint32Array(per.scales * count),
      }
      const from = first + block * BLOCK_ROWS
      const to = Math.min(first + rows, from + count * BLOCK_ROWS)
      const gathered = await this.#gather(source, own, format, from, to)
      packRows(format, gathered, to - from, source.columns, packed)
      memory.write(buffers.w, block * per.words * 4, packed.words)
      if (buffers.w_scale) memory.write(buffers.w_scale, block * per.scales * 4, packed.scales)
      await this.#flush(packed.words.byteLength)
    }
    return { start: first / 2, rows, buffers }
  }

  /** Rows [from, to) of the fused matrix, in its order and format. */
  async #gather(
    source: MatrixSource,
    own: readonly Format[],
    format: Format,
    from: number,
    to: number,
  ): Promise<SourceRows> {
    const places = Array.from({ length: to - from }, (_, i) => source.place(from + i))
    const bytes = format.rowBytes(source.columns)
    const into = {
      weight: new Uint8Array(bytes.weight * places.length),
      scales: new Uint8Array(bytes.scales * places.length),
      biases: new Uint8Array(bytes.biases * places.length),
    }
    for (const [index, rows] of byModule(places)) {
      const kind = own[index] as Format
      const module = source.modules[index] as StoredRows
      for (const run of runsOf(rows.sort((a, b) => a.row - b.row))) {
        const first = run[0]?.row ?? 0
        const read = await this.#reader.rows(module, kind, source.columns, first, run.length)
        const same =
          kind.id === format.id ? read : encodeAs(format, kind, read, run.length, source.columns)
        for (const [i, { at }] of run.entries()) copyRow(same, i, into, at, bytes)
      }
    }
    return into
  }

  async #bias(source: MatrixSource): Promise<GPUBuffer> {
    const values = new Float32Array(Math.ceil(source.rows / 2) * 2)
    const stored = new Map<string, Float32Array>()
    for (const name of new Set(source.modules.map(biasOf))) {
      if (name) stored.set(name, await this.values(name))
    }
    for (let row = 0; stored.size > 0 && row < source.rows; row++) {
      const place = source.place(row)
      const module = place && source.modules[place.module]
      const bias = module && stored.get(biasOf(module) ?? '')
      if (!bias) continue
      const skipped = (module.stack?.index ?? 0) * module.rows + module.first
      values[row] = bias[skipped + place.row] ?? 0
    }
    return this.upload(`${source.label} bias`, values, values.length)
  }

  /** Waits now and then, so that what the queue has not taken yet never grows past a bound. */
  async #flush(bytes: number): Promise<void> {
    this.#unflushed += bytes
    if (this.#unflushed < FLUSH_BYTES) return
    this.#unflushed = 0
    this.#device.gpu.queue.submit([])
    await this.#device.gpu.queue.onSubmittedWorkDone()
    this.#device.check()
  }
}
