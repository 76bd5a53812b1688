/**
 * A checkpoint seen with its packed modules unpacked: in MLX's affine form where groups are runs along a row, so that
 * they stay as small on the GPU (bias = −zero × scale), and as F32 where they are not. Rows are made when they are read.
 */
import type { Checkpoint } from '../checkpoint.ts'
import type { JsonObject } from '../json.ts'
import type { DType, TensorInfo } from '../safetensors.ts'
import type { Codes, PackedModule } from './form.ts'

/** Modules whose tensors are kept: rows of q, k and v, or of gate and up, are read in turn. */
const KEPT = 3
const GROUPS = [128, 64, 32] as const

type Affine = { readonly bits: 4 | 8; readonly group: 32 | 64 | 128 }

/** A tensor that is not stored. */
interface Made {
  readonly info: TensorInfo
  /** Of one row. */
  readonly bytes: number
  readonly module: PackedModule
  /** Makes one row, of 4-byte words. */
  make(codes: Codes, row: number, into: ArrayBuffer): void
}

/** The affine form of a module, or null. */
function affineOf({ runs, columns }: PackedModule): Affine | null {
  if (!runs) return null
  // A group of the stored form may be several of ours, with the same scale.
  const group = GROUPS.find(
    (group) => columns % group === 0 && (runs.size % group === 0 || runs.size === columns),
  )
  return group ? { bits: runs.bits, group } : null
}

export class UnpackedCheckpoint implements Checkpoint {
  readonly folder: string
  readonly config: JsonObject
  readonly generationConfig: JsonObject
  readonly bytes: number
  readonly #stored: Checkpoint
  readonly #made = new Map<string, Made>()
  readonly #hidden: ReadonlySet<string>
  readonly #spare: ReadonlySet<string | null>
  /** The last used last. */
  readonly #opened = new Map<PackedModule, Promise<Codes>>()

  /**
   * @param config without what it said of packing
   * @param idle tensors to leave out
   */
  constructor(
    stored: Checkpoint,
    config: JsonObject,
    modules: readonly PackedModule[],
    idle: RegExp | null,
  ) {
    this.#stored = stored
    this.folder = stored.folder
    this.generationConfig = stored.generationConfig
    const affine: Record<string, JsonObject> = {}
    for (const module of modules) {
      const form = affineOf(module)
      if (form) affine[module.path] = { bits: form.bits, group_size: form.group }
      for (const made of form ? affineTensors(module, form) : [plainTensor(module)]) {
        this.#made.set(made.info.name, made)
      }
    }
    const [first] = Object.values(affine)
    this.config = first ? { ...config, quantization: { ...first, ...affine } } : config
    const unused = stored.names().filter((name) => idle?.test(name))
    this.#hidden = new Set([...modules.flatMap(({ tensors }) => tensors), ...unused])
    this.#spare = new Set(modules.map(({ spare }) => spare))
    this.bytes = this.names().reduce((sum, name) => sum + sizeOf(this.info(name)), 0)
  }

  has(name: string): boolean {
    return this.#made.has(name) || (!this.#hidden.has(name) && this.#stored.has(name))
  }

  info(name: string): TensorInfo {
    return this.#made.get(name)?.info ?? this.#stored.info(name)
  }

  names(): readonly string[] {
    const stored = this.#stored
      .names()
      .filter((name) => !this.#hidden.has(name) && !this.#spare.has(name))
    return [...stored, ...this.#made.keys()]
  }

  async read(name: string, offset: number, into: Uint8Array): Promise<void> {
    const made = this.#made.get(name)
    if (!made) return this.#stored.read(name, offset, into)
    const { bytes } = made
    const codes = await this.#open(made.module)
    const row = new Uint8Array(bytes)
    const end = offset + into.length
    for (let at = offset; at < end; ) {
      const index = Math.floor(at / bytes)
      made.make(codes, index, row.buffer)
      const next = Math.min(end, (index + 1) * bytes)
      into.set(row.subarray(at - index * bytes, next - index * bytes), at - offset)
      at = next
    }
  }

  async readAll(name: string): Promise<Uint8Array> {
    if (!this.#made.has(name)) return this.#stored.readAll(name)
    const into = new Uint8Array(sizeOf(this.info(name)))
    await this.read(name, 0, into)
    return into
  }

  async close(): Promise<void> {
    this.#opened.clear()
    await this.#stored.close()
  }

  /** Reads come several at once: whoever comes second waits for the first. */
  #open(module: PackedModule): Promise<Codes> {
    const kept = this.#opened.get(module)
    this.#opened.delete(module)
    const [oldest] = this.#opened.keys()
    if (oldest && this.#opened.size >= KEPT) this.#opened.delete(oldest)
    const codes = kept ?? this.#unpack(module)
    this.#opened.set(module, codes)
    return codes
  }

  async #unpack(module: PackedModule): Promise<Codes> {
    const data = new Map<string, Uint8Array>()
    for (const name of module.tensors) data.set(name, await this.#stored.readAll(name))
    return module.open(data)
  }
}

const sizeOf = ({ start, end }: TensorInfo): number => end - start

function made(
  module: PackedModule,
  part: string,
  dtype: DType,
  width: number,
  make: Made['make'],
): Made {
  const { path, rows } = module
  const end = rows * width * 4
  const info = { name: `${path}.${part}`, dtype, shape: [rows, width], start: 0, end }
  return { info, bytes: width * 4, module, make }
}

function plainTensor(module: PackedModule): Made {
  const { columns, groups } = module
  const count = groups.reduce((most, group) => Math.max(most, group + 1), 0)
  const [scales, zeros] = [new Float64Array(count), new Float64Array(count)]
  return made(module, 'weight', 'F32', columns, (codes, row, into) => {
    const values = new Float32Array(into)
    codes.codes(row, values)
    for (let group = 0; group < count; group++) {
      scales[group] = codes.scale(row, group)
      zeros[group] = codes.zero(row, group)
    }
    for (let k = 0; k < columns; k++) {
      const group = groups[k] as number
      values[k] = ((values[k] as number) - (zeros[group] as number)) * (scales[group] as number)
    }
  })
}

function affineTensors(module: PackedModule, { bits, group: size }: Affine): Made[] {
  const { columns, groups } = module
  const perWord = 32 / bits
  const row = new Float32Array(columns)
  const width = columns / size
  const factors = (each: (codes: Codes, row: number, group: number) => number): Made['make'] => {
    return (codes, row, into) => {
      const values = new Float32Array(into)
      for (let i = 0; i < width; i++) values[i] = each(codes, row, groups[i * size] as number)
    }
  }
  return [
    made(module, 'weight', 'U32', columns / perWord, (codes, index, into) => {
      const words = new Uint32Array(into)
      codes.codes(index, row)
      words.fill(0)
      for (let k = 0; k < columns; k++) {
        const word = Math.floor(k / perWord)
        words[word] = (words[word] as number) | ((row[k] as number) << ((k % perWord) * bits))
      }
    }),
    made(
      module,
      'scales',
      'F32',
      width,
      factors((codes, at, group) => codes.scale(at, group)),
    ),
    made(
      module,
      'biases',
      'F32',
      width,
      factors((codes, at, group) => -codes.zero(at, group) * codes.scale(at, group)),
    ),
  ]
}
