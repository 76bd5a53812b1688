/** Reads rows of stored matrices as a format has them, those that are stored by columns as well. */
import type { Format, SourceRows } from '../../kernels/index.ts'
import type { Checkpoint } from './checkpoint.ts'
import { type StoredRows, tensorOf } from './sources.ts'

export class StoredReader {
  readonly #checkpoint: Checkpoint
  readonly #onBytes: (bytes: number) => void
  /** The last matrix that lies in columns: its rows are everywhere in it, so it is read at once. */
  #columns: { readonly key: string; readonly bytes: Uint8Array } | null = null

  constructor(checkpoint: Checkpoint, onBytes: (bytes: number) => void) {
    this.#checkpoint = checkpoint
    this.#onBytes = onBytes
  }

  /** Lets go of what was kept. */
  release(): void {
    this.#columns = null
  }

  /** Rows [first, first + count) of a module. */
  async rows(
    module: StoredRows,
    format: Format,
    columns: number,
    first: number,
    count: number,
  ): Promise<SourceRows> {
    const bytes = format.rowBytes(columns)
    const from = module.first + first
    if (module.transposed)
      return { weight: await this.#turned(module, bytes.weight / columns, columns, from, count) }
    const weight = await this.#read(tensorOf(module), from * bytes.weight, count * bytes.weight)
    if (bytes.scales === 0) return { weight }
    const { path } = module
    return {
      weight,
      scales: await this.#read(`${path}.scales`, from * bytes.scales, count * bytes.scales),
      biases: await this.#read(`${path}.biases`, from * bytes.biases, count * bytes.biases),
    }
  }

  /** Rows of a matrix that is stored as [columns, rows], of numbers of `size` bytes. */
  async #turned(
    module: StoredRows,
    size: number,
    columns: number,
    from: number,
    count: number,
  ): Promise<Uint8Array> {
    const tensor = tensorOf(module)
    const rows = this.#checkpoint.info(tensor).shape.at(-1) as number
    const index = module.stack?.index ?? 0
    const key = `${tensor} ${index}`
    if (this.#columns?.key !== key) {
      this.#columns = null
      const length = columns * rows * size
      this.#columns = { key, bytes: await this.#read(tensor, index * length, length) }
    }
    const stored = numbersOf(this.#columns.bytes, size)
    const into = new Uint8Array(count * columns * size)
    const turned = numbersOf(into, size)
    for (let row = 0; row < count; row++) {
      for (let k = 0; k < columns; k++) {
        turned[row * columns + k] = stored[k * rows + from + row] as number
      }
    }
    return into
  }

  async #read(name: string, offset: number, length: number): Promise<Uint8Array> {
    const into = new Uint8Array(length)
    await this.#checkpoint.read(name, offset, into)
    this.#onBytes(length)
    return into
  }
}

/** Numbers of 2 or 4 bytes, whatever they mean. */
const numbersOf = ({ buffer }: Uint8Array, size: number): Uint16Array | Uint32Array =>
  size === 2 ? new Uint16Array(buffer) : new Uint32Array(buffer)
