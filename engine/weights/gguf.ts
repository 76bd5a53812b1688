/**
 * A GGUF file, read with positional reads: the header once, then any byte range of any tensor into the caller's
 * buffer. The file as a whole is never in memory.
 */
import { type FileHandle, open, stat } from 'node:fs/promises'
import { EngineError } from '../errors.ts'
import { brokenGguf, type GgufValue, MoreBytesNeeded } from './gguf-cursor.ts'
import { type GgufHeader, type GgufTensor, parseGgufHeader } from './gguf-header.ts'
import { reasonOf } from './json.ts'

export type { GgufValue } from './gguf-cursor.ts'
export type { GgufTensor } from './gguf-header.ts'

/** A vocabulary of 256k tokens with its merges takes about 12 MB. */
const MAX_HEADER_BYTES = 1 << 28
const FIRST_READ = 1 << 22

export class GgufFile {
  readonly path: string
  readonly metadata: ReadonlyMap<string, GgufValue>
  readonly tensors: ReadonlyMap<string, GgufTensor>
  readonly #handle: FileHandle

  private constructor(path: string, handle: FileHandle, header: GgufHeader) {
    this.path = path
    this.#handle = handle
    this.metadata = header.metadata
    this.tensors = header.tensors
  }

  /**
   * Opens a file and checks its header.
   *
   * @throws EngineError('model') naming the file and the reason when it cannot be read or its header is wrong
   */
  static async open(path: string): Promise<GgufFile> {
    let handle: FileHandle | undefined
    try {
      if (!(await stat(path)).isFile()) throw brokenGguf(path, 'is not a regular file')
      handle = await open(path, 'r')
      return new GgufFile(path, handle, await readHeader(path, handle))
    } catch (error) {
      await handle?.close()
      if (error instanceof EngineError) throw error
      throw brokenGguf(path, `cannot be read (${reasonOf(error)})`, error)
    }
  }

  /** The tensor's place and form. Throws EngineError('model') naming it where the file has none of that name. */
  tensor(name: string): GgufTensor {
    const tensor = this.tensors.get(name)
    if (tensor !== undefined) return tensor
    throw brokenGguf(this.path, `has no tensor ${JSON.stringify(name)}`)
  }

  /** Fills `into` with the tensor's bytes from `offset` on (within the tensor). */
  async read(tensor: GgufTensor, offset: number, into: Uint8Array): Promise<void> {
    if (offset < 0 || offset + into.length > tensor.bytes) {
      throw new RangeError(
        `bytes ${offset} to ${offset + into.length} of ${tensor.name}, which has ${tensor.bytes}`,
      )
    }
    await fill(this.path, this.#handle, into, tensor.start + offset)
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }
}

async function readHeader(path: string, handle: FileHandle): Promise<GgufHeader> {
  const { size } = await handle.stat()
  // The header does not state its length: read more until it ends.
  for (let length = FIRST_READ; ; length *= 4) {
    const bytes = new Uint8Array(Math.min(length, size, MAX_HEADER_BYTES))
    await fill(path, handle, bytes, 0)
    try {
      return parseGgufHeader(path, bytes, size)
    } catch (error) {
      if (!(error instanceof MoreBytesNeeded)) throw error
      if (bytes.length === MAX_HEADER_BYTES) {
        throw brokenGguf(path, `has a header of more than ${MAX_HEADER_BYTES} bytes`, error)
      }
    }
  }
}

async function fill(path: string, handle: FileHandle, into: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < into.length; ) {
    const { bytesRead } = await handle.read(into, done, into.length - done, at + done)
    if (bytesRead === 0) {
      throw brokenGguf(path, `ended at byte ${at + done}, expected ${at + into.length}`)
    }
    done += bytesRead
  }
}
