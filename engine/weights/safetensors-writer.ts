/**
 * Writes a safetensors file piece by piece: no tensor needs to be in memory. The layout is
 * the reference library's (widest type first, then by name; header padded to 8 bytes), so that equal tensors give
 * equal files.
 */
import { type FileHandle, open } from 'node:fs/promises'

const BYTES = { F32: 4, U32: 4, F16: 2, BF16: 2 } as const

/** A tensor to write. `chunks` yields its bytes in order, little-endian. */
export interface TensorSource {
  name: string
  dtype: keyof typeof BYTES
  shape: readonly number[]
  chunks(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

/** Bytes of a tensor's data. */
export function tensorBytes(tensor: Pick<TensorHead, 'dtype' | 'shape'>): number {
  return tensor.shape.reduce((product, n) => product * n, BYTES[tensor.dtype])
}

/** What a tensor's header says. */
export type TensorHead = Pick<TensorSource, 'name' | 'dtype' | 'shape'>

/** A file whose tensors grow side by side, each from its start to its end. Close it, whatever happens. */
export class SafetensorsWriter {
  readonly #file: FileHandle
  readonly #heads: readonly TensorHead[]
  /** By name: where the next bytes go, and where the tensor ends. */
  readonly #open = new Map<string, { at: number; end: number }>()

  private constructor(file: FileHandle, heads: readonly TensorHead[], dataStart: number) {
    this.#file = file
    this.#heads = heads
    let at = dataStart
    for (const head of heads) {
      const end = at + tensorBytes(head)
      this.#open.set(head.name, { at, end })
      at = end
    }
  }

  /** Makes `path` (replacing what is there), with its header. */
  static async create(
    path: string,
    tensors: readonly TensorHead[],
    metadata: Readonly<Record<string, string>> = {},
  ): Promise<SafetensorsWriter> {
    const heads = inOrder(tensors)
    const header = encodeHeader(heads, metadata)
    const file = await open(path, 'w')
    try {
      await writeAll(file, header, 0)
      return new SafetensorsWriter(file, heads, header.length)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Writes a tensor's next bytes. Throws RangeError when they are more than its shape says. */
  async write(name: string, bytes: Uint8Array): Promise<void> {
    const place = this.#open.get(name)
    if (!place) throw new RangeError(`${name} is not in the header`)
    if (place.at + bytes.length > place.end) throw this.#wrongLength(name, bytes.length)
    const { at } = place
    place.at += bytes.length
    await writeAll(this.#file, bytes, at)
  }

  /** Waits until all is on the disk. Throws RangeError when a tensor lacks bytes. */
  async finish(): Promise<void> {
    for (const [name, { at, end }] of this.#open) if (at < end) throw this.#wrongLength(name, 0)
    await this.#file.sync()
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  #wrongLength(name: string, more: number): RangeError {
    const head = this.#heads.find((each) => each.name === name) as TensorHead
    const { at, end } = this.#open.get(name) as { at: number; end: number }
    const expected = tensorBytes(head)
    const bytes = expected - (end - at) + more
    return new RangeError(
      `${name}: ${bytes} bytes for ${head.dtype} [${head.shape}], expected ${expected}`,
    )
  }
}

/**
 * Writes `path` (replacing what is there) and waits until it is on the disk.
 *
 * @param onBytes called with the number of bytes of each piece of tensor data written
 * @throws RangeError when a source yields more or fewer bytes than its shape says
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly TensorSource[],
  metadata: Readonly<Record<string, string>> = {},
  onBytes: (count: number) => void = () => {},
): Promise<void> {
  const file = await SafetensorsWriter.create(path, tensors, metadata)
  try {
    for (const { name, chunks } of inOrder(tensors)) {
      for await (const chunk of chunks()) {
        await file.write(name, chunk)
        onBytes(chunk.length)
      }
    }
    await file.finish()
  } finally {
    await file.close()
  }
}

const inOrder = <T extends TensorHead>(tensors: readonly T[]): T[] =>
  [...tensors].sort((a, b) => BYTES[b.dtype] - BYTES[a.dtype] || (a.name < b.name ? -1 : 1))

function encodeHeader(
  tensors: readonly TensorHead[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  // No plain object: a tensor may be called `__proto__`.
  const header = new Map<string, unknown>()
  if (Object.keys(metadata).length > 0) header.set('__metadata__', metadata)
  let at = 0
  for (const { name, dtype, shape } of tensors) {
    if (header.has(name)) throw new RangeError(`${name} is given twice`)
    const end = at + tensorBytes({ dtype, shape })
    header.set(name, { dtype, shape, data_offsets: [at, end] })
    at = end
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)))
  const length = Math.ceil(json.length / 8) * 8
  const bytes = new Uint8Array(8 + length).fill(0x20)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true)
  bytes.set(json, 8)
  return bytes
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const rest = bytes.length - done
    const { bytesWritten } = await file.write(bytes, done, rest, position + done)
    done += bytesWritten
  }
}
