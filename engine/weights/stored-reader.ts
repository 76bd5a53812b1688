/** Reads rows of stored matrices as a format has them, those that are stored by columns as well, into lent memory. */
import type { Format, SourceRows } from '../../kernels/index.ts'
import type { Checkpoint } from './checkpoint.ts'
import { encodeAs, type Span, type Spans } from './rows.ts'
import { type StoredRows, tensorOf } from './sources.ts'

/** A module and what its rows are stored in. */
export interface Module {
  readonly stored: StoredRows
  readonly format: Format
}

/** Rows of one format, one after another. */
export interface Staged {
  readonly rows: SourceRows
  /** What they lie in: theirs until it is given back. */
  readonly memory: Uint8Array
}

const TENSORS = ['weight', 'scales', 'biases'] as const
type Tensor = (typeof TENSORS)[number]

/** Matrices by columns that are kept: reading ahead works on the end of one and on the beginning of the next. */
const KEPT = 2

export class StoredReader {
  readonly #checkpoint: Checkpoint
  readonly #onBytes: (bytes: number) => void
  /** Matrices that lie in columns: their rows are everywhere in them, so they are read at once. The latest comes last. */
  readonly #columns = new Map<string, Promise<Uint8Array>>()
  /** Memory to read into again: fresh memory costs more than the reading. */
  readonly #free: Uint8Array[] = []

  constructor(checkpoint: Checkpoint, onBytes: (bytes: number) => void) {
    this.#checkpoint = checkpoint
    this.#onBytes = onBytes
  }

  /** Reads spans of modules, all in `format` then, and a row of zeros behind them. Throws EngineError. */
  async read(
    modules: readonly Module[],
    { spans, rows }: Spans,
    columns: number,
    format: Format,
  ): Promise<Staged> {
    const widths = format.rowBytes(columns)
    const at = { weight: 0, scales: 0, biases: 0 }
    let bytes = 0
    for (const tensor of TENSORS) {
      at[tensor] = bytes
      bytes += Math.ceil((widths[tensor] * (rows + 1)) / 4) * 4
    }
    const memory = this.#take(bytes)
    const view = (tensor: Tensor, first: number, count: number): Uint8Array => {
      const start = at[tensor] + first * widths[tensor]
      return memory.subarray(start, start + count * widths[tensor])
    }
    const viewsOf = (first: number, count: number) => ({
      weight: view('weight', first, count),
      scales: view('scales', first, count),
      biases: view('biases', first, count),
    })
    let done = 0
    const reads = spans.map((span) => {
      const into = viewsOf(done, span.rows)
      done += span.rows
      return this.#span(modules[span.module] as Module, span, columns, format, into)
    })
    // One after another they would each wait for a turn of the event loop, which packing holds for milliseconds.
    await allSettled(reads)
    for (const zeros of Object.values(viewsOf(rows, 1))) zeros.fill(0)
    return { rows: viewsOf(0, rows + 1), memory }
  }

  /** Rows of a module, in `format`. */
  async #span(
    { stored, format: own }: Module,
    span: Span,
    columns: number,
    format: Format,
    into: Required<SourceRows>,
  ): Promise<void> {
    const { first, rows } = span
    if (own.id === format.id) return this.#rows(stored, own, columns, first, rows, into)
    const alone = { spans: [{ ...span, module: 0 }], rows, order: NONE }
    const read = await this.read([{ stored, format: own }], alone, columns, own)
    into.weight.set(encodeAs(format, own, read.rows, rows, columns).weight)
    this.giveBack(read)
  }

  /** The rows are packed: what they lay in may be read into again. */
  giveBack({ memory }: Staged): void {
    this.#free.push(memory)
  }

  #take(bytes: number): Uint8Array {
    const free = this.#free.pop()
    return free && free.length >= bytes ? free : new Uint8Array(bytes)
  }

  /** Rows [first, first + count) of a module. */
  async #rows(
    module: StoredRows,
    format: Format,
    columns: number,
    first: number,
    count: number,
    into: Required<SourceRows>,
  ): Promise<void> {
    const bytes = format.rowBytes(columns)
    const from = module.first + first
    if (module.transposed) {
      await this.#turned(module, bytes.weight / columns, columns, from, count, into.weight)
      return
    }
    const reads = [this.#fill(tensorOf(module), from * bytes.weight, into.weight)]
    if (bytes.scales > 0) {
      reads.push(
        this.#fill(`${module.path}.scales`, from * bytes.scales, into.scales),
        this.#fill(`${module.path}.biases`, from * bytes.biases, into.biases),
      )
    }
    await allSettled(reads)
  }

  /** Rows of a matrix that is stored as [columns, rows], of numbers of `size` bytes. */
  async #turned(
    module: StoredRows,
    size: number,
    columns: number,
    from: number,
    count: number,
    into: Uint8Array,
  ): Promise<void> {
    const tensor = tensorOf(module)
    const rows = this.#checkpoint.info(tensor).shape.at(-1) as number
    const whole = await this.#whole(tensor, module.stack?.index ?? 0, columns * rows * size)
    const stored = numbersOf(whole, size)
    const turned = numbersOf(into, size)
    for (let row = 0; row < count; row++) {
      for (let k = 0; k < columns; k++) {
        turned[row * columns + k] = stored[k * rows + from + row] as number
      }
    }
  }

  #whole(tensor: string, index: number, bytes: number): Promise<Uint8Array> {
    const key = `${tensor} ${index}`
    const known = this.#columns.get(key)
    if (known) return known
    const into = new Uint8Array(bytes)
    const read = this.#fill(tensor, index * bytes, into).then(() => into)
    const [oldest] = this.#columns.keys()
    if (this.#columns.size >= KEPT && oldest !== undefined) this.#columns.delete(oldest)
    this.#columns.set(key, read)
    return read
  }

  async #fill(name: string, offset: number, into: Uint8Array): Promise<void> {
    await this.#checkpoint.read(name, offset, into)
    this.#onBytes(into.length)
  }
}

/** Waits for all, whether they fail or not: no read may go on into memory that was given back. Throws the first failure. */
async function allSettled(reads: readonly Promise<void>[]): Promise<void> {
  await Promise.allSettled(reads)
  await Promise.all(reads)
}

const NONE = new Uint32Array(0)

/** Numbers of 2 or 4 bytes, whatever they mean. */
const numbersOf = (bytes: Uint8Array, size: number): Uint16Array | Uint32Array => {
  const { buffer, byteOffset, byteLength } = bytes
  const Numbers = size === 2 ? Uint16Array : Uint32Array
  return new Numbers(buffer as ArrayBuffer, byteOffset, byteLength / size)
}
