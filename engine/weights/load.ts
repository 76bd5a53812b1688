/**
 * Streams matrices from a checkpoint to the GPU in bounded chunks, packed by their format. A matrix may be fused of
 * several modules (q, k, v; gate, up) with its rows in an order of its own, and is split by rows where it would not fit
 * a binding. Peak host memory does not depend on the size of the model.
 */
import { BLOCK_ROWS, type Device, type Format, formatOf } from '../../kernels/index.ts'
import { EngineError } from '../errors.ts'
import type { QuantizationConfig } from '../models/config.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { WeightFormat } from './expected.ts'
import { packer, QuantizingWriters, type Writer } from './part-writers.ts'
import { formatOfQuantized, type Quantizer } from './quantizer.ts'
import { readAhead } from './read-ahead.ts'
import { spansOf } from './rows.ts'
import { biasOf, type MatrixSource, type StoredRows, tensorOf } from './sources.ts'
import { Staging } from './staging.ts'
import { type Module, StoredReader } from './stored-reader.ts'
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

/** Chunks whose reading is under way while one is packed. */
const AHEAD = 3

/** Matrices to quantize, by module, and what does it. */
export interface Quantizing {
  readonly quantizer: Quantizer
  readonly modules: ReadonlyMap<string, QuantizationConfig>
}

/** How rows are read, and what they become. */
interface Job {
  readonly source: MatrixSource
  readonly modules: readonly Module[]
  /** What modules are read as, whatever each is stored in. */
  readonly read: Format
  readonly format: Format
  /** The number under which values that cannot be quantized are noted. */
  readonly quantized: { readonly to: QuantizationConfig; readonly matrix: number } | null
}

/** Puts what was read on its way to the GPU. */
type Put = (staging: Staging) => void | Promise<void>

/** Reads a part of what was asked for; these run ahead, what they return runs in turn. */
type Read = () => Promise<Put>

/** Makes buffers first; `finish` reads and fills them. */
export class WeightLoader {
  readonly #device: Device
  readonly #checkpoint: Checkpoint
  readonly #formats: ReadonlyMap<string, WeightFormat>
  readonly #reader: StoredReader
  readonly #reads: Read[] = []
  readonly #quantizing: Quantizing | null
  readonly #quantizers: QuantizingWriters | null
  /** Modules of each matrix to quantize. */
  readonly #quantized: (readonly StoredRows[])[] = []
  /** By length. */
  readonly #zeros = new Map<number, Promise<GPUBuffer>>()

  constructor(
    device: Device,
    checkpoint: Checkpoint,
    formats: ReadonlyMap<string, WeightFormat>,
    onBytes: (bytes: number) => void,
    quantizing: Quantizing | null = null,
  ) {
    this.#quantizing = quantizing
    this.#quantizers = quantizing && new QuantizingWriters(device, quantizing.quantizer)
    this.#device = device
    this.#checkpoint = checkpoint
    this.#formats = formats
    this.#reader = new StoredReader(checkpoint, onBytes)
  }

  /** Values of a vector as f32. */
  values(name: string): Promise<Float32Array> {
    return readFloats(this.#checkpoint, name)
  }

  /** What `read` gives as f32, padded with zeros to `length`. Throws GpuError. */
  async vector(
    label: string,
    length: number,
    read: () => Promise<Float32Array>,
  ): Promise<GPUBuffer> {
    const buffer = await this.#device.memory.storage(label, 'weights', length * 4, 'anything')
    this.#reads.push(async () => {
      const values = await read()
      return (staging) =>
        staging.write(
          [{ buffer, offset: 0, bytes: length * 4 }],
          ({ buffer: into, byteOffset }) => {
            const floats = new Float32Array(into, byteOffset, length)
            floats.set(values)
            floats.fill(0, values.length)
          },
        )
    })
    return buffer
  }

  /** Throws EngineError, GpuError. */
  async matrix(source: MatrixSource): Promise<Matrix> {
    const modules = source.modules.map((stored) => ({ stored, format: this.#formatOf(stored) }))
    const same = modules.every((module) => module.format.id === modules[0]?.format.id)
    // Modules of different formats meet in f32: larger, but right.
    const read = same ? (modules[0] as Module).format : formatOf('f32')
    const to = this.#quantizing?.modules.get(source.modules[0]?.path ?? '')
    const format = to ? formatOfQuantized(to) : read
    const quantized = to ? { to, matrix: this.#quantized.push(source.modules) - 1 } : null
    const job: Job = { source, modules, read, format, quantized }
    const { words } = format.wordsPerRowBlock(source.columns)
    const most = Math.max(1, Math.floor(this.#device.caps.maxBinding / (words * 4))) * BLOCK_ROWS
    const starts = Array.from({ length: Math.ceil(source.rows / most) }, (_, i) => i * most)
    const [bias, ...parts] = await Promise.all([
      this.#bias(source),
      ...starts.map((first) => {
        const rows = Math.min(most, source.rows - first)
        return this.#part(job, first, rows)
      }),
    ])
    return { format: format.id, rows: source.rows, columns: source.columns, bias, parts }
  }

  /** Reads, packs and uploads everything that was asked for. Throws EngineError, GpuError. */
  async finish(): Promise<void> {
    const staging = new Staging(this.#device)
    try {
      for await (const put of readAhead(this.#reads, AHEAD)) await put(staging)
      await staging.finish()
    } finally {
      staging.free()
    }
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

  async #part(job: Job, start: number, rows: number): Promise<MatrixPart> {
    const { source, format, quantized } = job
    const { memory } = this.#device
    const per = format.wordsPerRowBlock(source.columns)
    const blocks = Math.ceil(rows / BLOCK_ROWS)
    // Packers write whole row blocks, and the quantizer rows alone.
    const holds = quantized ? 'zeros' : 'anything'
    const make = (name: string, words: number): Promise<GPUBuffer> =>
      memory.storage(`${source.label} ${name}`, 'weights', words * 4 * blocks, holds)
    const [w, w_scale] = await Promise.all([
      make('words', per.words),
      per.scales > 0 ? make('scales', per.scales) : null,
    ])
    const buffers = w_scale ? { w, w_scale } : { w }
    const { step, put } = this.#writer(job, buffers)
    for (let block = 0; block < blocks; block += step) {
      const from = start + block * BLOCK_ROWS
      const to = Math.min(start + rows, from + step * BLOCK_ROWS)
      this.#reads.push(async () => {
        const spans = spansOf((row) => source.place(row), from, to)
        const staged = await this.#reader.read(job.modules, spans, source.columns, job.read)
        return async (staging) => {
          await put(staged.rows, spans.order, block, staging)
          this.#reader.giveBack(staged)
        }
      })
    }
    return { start: start / 2, rows, buffers }
  }

  #writer({ source, read, format, quantized }: Job, buffers: MatrixPart['buffers']): Writer {
    const { columns } = source
    if (!quantized || !this.#quantizers) return packer(format, columns, buffers)
    return this.#quantizers.writer({ buffers, columns, from: read.id, ...quantized })
  }

  #bias(source: MatrixSource): Promise<GPUBuffer> {
    const length = Math.ceil(source.rows / 2) * 2
    const names = new Set(source.modules.map(biasOf).filter((name) => name !== null))
    if (names.size === 0) return this.#zerosOf(length)
    return this.vector(`${source.label} bias`, length, async () => {
      const stored = new Map<string, Float32Array>()
      for (const name of names) stored.set(name, await this.values(name))
      return Float32Array.from({ length: source.rows }, (_, row) => {
        const place = source.place(row)
        const module = place && source.modules[place.module]
        const bias = module && stored.get(biasOf(module) ?? '')
        const skipped = module ? (module.stack?.index ?? 0) * module.rows + module.first : 0
        return bias?.[skipped + (place?.row ?? 0)] ?? 0
      })
    })
  }

  /** Matrices without biases share them; nothing writes there. */
  #zerosOf(length: number): Promise<GPUBuffer> {
    const known = this.#zeros.get(length)
    if (known) return known
    const made = this.#device.memory.storage(`${length} zeros`, 'weights', length * 4)
    this.#zeros.set(length, made)
    return made
  }
}
