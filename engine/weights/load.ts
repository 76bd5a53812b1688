/**
 * Streams matrices from a checkpoint to the GPU in bounded chunks, packed by their format. A matrix may be fused of
 * several modules (q, k, v; gate, up) with its rows in an order of its own, and is split by rows where it would not fit
 * a binding. Peak host memory does not depend on the size of the model.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  BLOCK_ROWS,
  type Device,
  type Format,
  formatOf,
  type SourceRows,
} from '../../kernels/index.ts'
import { EngineError } from '../errors.ts'
import type { QuantizationConfig } from '../models/config.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { WeightFormat } from './expected.ts'
import { type Gathering, RowGatherer } from './gather.ts'
import { formatOfQuantized, type Quantizer } from './quantizer.ts'
import { packRows } from './rows.ts'
import { biasOf, type MatrixSource, type StoredRows, tensorOf } from './sources.ts'
import { unfitValue } from './unfit-values.ts'
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

/** Matrices to quantize, by module, and what does it. */
export interface Quantizing {
  readonly quantizer: Quantizer
  readonly modules: ReadonlyMap<string, QuantizationConfig>
}

/** How rows are gathered, and what they become. */
interface Job extends Gathering {
  readonly format: Format
  readonly quantized: QuantizationConfig | undefined
}

const CHUNK_BYTES = 2 ** 20
const FLUSH_BYTES = 8 * 2 ** 20
/** Of the expected time of a wait. */
const ASLEEP = 0.85

export class WeightLoader {
  readonly #device: Device
  readonly #checkpoint: Checkpoint
  readonly #formats: ReadonlyMap<string, WeightFormat>
  readonly #rows: RowGatherer
  readonly #quantizing: Quantizing | null
  /** Modules of each matrix quantized so far. */
  readonly #quantized: (readonly StoredRows[])[] = []
  #unflushed = 0
  /** Milliseconds that the last wait took, a byte. */
  #pace = 0

  constructor(
    device: Device,
    checkpoint: Checkpoint,
    formats: ReadonlyMap<string, WeightFormat>,
    onBytes: (bytes: number) => void,
    quantizing: Quantizing | null = null,
  ) {
    this.#quantizing = quantizing
    this.#device = device
    this.#checkpoint = checkpoint
    this.#formats = formats
    this.#rows = new RowGatherer(checkpoint, onBytes)
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
    const gathered = same ? (own[0] as Format) : formatOf('f32')
    const quantized = this.#quantizing?.modules.get(source.modules[0]?.path ?? '')
    const format = quantized ? formatOfQuantized(quantized) : gathered
    if (quantized) this.#quantized.push(source.modules)
    const job = { source, own, gathered, format, quantized }
    const parts: MatrixPart[] = []
    const { words } = format.wordsPerRowBlock(source.columns)
    const most = Math.max(1, Math.floor(this.#device.caps.maxBinding / (words * 4))) * BLOCK_ROWS
    for (let first = 0; first < source.rows; first += most) {
      const rows = Math.min(most, source.rows - first)
      parts.push(await this.#part(job, first, rows))
    }
    this.#rows.release()
    const bias = await this.#bias(source)
    return { format: format.id, rows: source.rows, columns: source.columns, bias, parts }
  }

  /** Waits until all is done. Throws EngineError('model') for values that cannot be quantized. */
  async finish(): Promise<void> {
    const fault = (await this.#quantizing?.quantizer.finish()) ?? null
    const modules = fault === null ? undefined : this.#quantized[fault]
    if (modules) throw await unfitValue(this.#checkpoint, modules.map(tensorOf))
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

  async #part(job: Job, first: number, rows: number): Promise<MatrixPart> {
    const { memory } = this.#device
    const { source, format } = job
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
    const { step, put } = await this.#writer(job, buffers)
    for (let block = 0; block < blocks; block += step) {
      const from = first + block * BLOCK_ROWS
      const to = Math.min(first + rows, from + step * BLOCK_ROWS)
      const gathered = await this.#rows.gather(job, from, to)
      await this.#flush(put(gathered, to - from, block))
    }
    return { start: first / 2, rows, buffers }
  }

  /** What takes rows into the buffers, so many row blocks at once; `put` returns the bytes it queued. */
  async #writer(
    { source, gathered, format, quantized }: Job,
    buffers: Readonly<Record<string, GPUBuffer>>,
  ): Promise<{ step: number; put(rows: SourceRows, count: number, block: number): number }> {
    const { columns } = source
    if (this.#quantizing && quantized) {
      const { quantizer } = this.#quantizing
      const matrix = this.#quantized.length - 1
      const part = { buffers, columns, from: gathered.id, to: quantized, matrix }
      const { most, put } = await quantizer.into(part)
      return {
        step: most / BLOCK_ROWS,
        put: ({ weight }, count, block) => {
          put(weight, count, block)
          return weight.byteLength
        },
      }
    }
    const { memory } = this.#device
    const per = format.wordsPerRowBlock(columns)
    return {
      step: Math.max(1, Math.floor(CHUNK_BYTES / (per.words * 4))),
      put: (rows, count, block) => {
        const blocks = Math.ceil(count / BLOCK_ROWS)
        const packed = {
          words: new Uint32Array(per.words * blocks),
          scales: new Uint32Array(per.scales * blocks),
        }
        packRows(format, rows, count, columns, packed)
        memory.write(buffers.w as GPUBuffer, block * per.words * 4, packed.words)
        if (buffers.w_scale) memory.write(buffers.w_scale, block * per.scales * 4, packed.scales)
        return packed.words.byteLength
      },
    }
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
