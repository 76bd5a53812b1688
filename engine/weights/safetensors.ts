/**
 * A safetensors file, read directly and streamed: the header once, then any byte range of any tensor straight into
 * the caller's buffer with positional reads. No memory map, no whole file, no copy, so host memory stays what the
 * caller lends. Why this is ours and not a package's: docs/decisions/0002-safetensors-reader.md.
 */
import { type FileHandle, open, stat } from 'node:fs/promises'
import { EngineError } from '../errors.ts'
import { reasonOf } from './json.ts'
import {
  brokenFile,
  headerLength,
  PREFIX_BYTES,
  parseHeader,
  type TensorInfo,
} from './safetensors-header.ts'

export type { DType, TensorInfo } from './safetensors-header.ts'

/** A part of the file that somebody waits for. */
interface Wanted {
  readonly position: number
  readonly into: Uint8Array
  readonly tensor: string
  resolve(): void
  reject(error: unknown): void
}

/** Node refuses single reads of 2 GiB and more. */
const MAX_READ = 1 << 30

export class SafetensorsFile {
  readonly path: string
  /** By name, in the order of the data. */
  readonly tensors: ReadonlyMap<string, TensorInfo>
  /** The file's `__metadata__`, empty when it has none. */
  readonly metadata: Readonly<Record<string, string>>
  readonly #handle: FileHandle
  /** Asked for in this turn. */
  #wanted: Wanted[] = []

  private constructor(
    path: string,
    handle: FileHandle,
    header: Pick<SafetensorsFile, 'tensors' | 'metadata'>,
  ) {
    this.path = path
    this.#handle = handle
    this.tensors = header.tensors
    this.metadata = header.metadata
  }

  /**
   * Opens a file and checks its header (at most 100 MB of JSON are read).
   *
   * @throws EngineError('model') naming file, tensor and reason when the file cannot be read or its header is wrong
   */
  static async open(path: string): Promise<SafetensorsFile> {
    let handle: FileHandle | undefined
    try {
      // Asked before opening: opening a pipe would wait for ever.
      if (!(await stat(path)).isFile()) throw brokenFile(path, 'is not a regular file')
      handle = await open(path, 'r')
      const { size } = await handle.stat()
      const prefix = new Uint8Array(Math.min(PREFIX_BYTES, size))
      await fill(handle, path, prefix, 0)
      const json = new Uint8Array(headerLength(path, prefix, size))
      await fill(handle, path, json, PREFIX_BYTES)
      return new SafetensorsFile(path, handle, parseHeader(path, json, size))
    } catch (error) {
      await handle?.close()
      throw readError(path, error)
    }
  }

  /**
   * Reads bytes [offset, offset + into.length) of a tensor into `into`.
   *
   * @param info one of this file's `tensors`
   * @throws EngineError('model') when the range leaves the tensor or the file got shorter or unreadable
   */
  async read(info: TensorInfo, offset: number, into: Uint8Array): Promise<void> {
    const size = info.end - info.start
    if (this.tensors.get(info.name) !== info) {
      throw new EngineError('model', `${this.path}: tensor "${info.name}" is not of this file`)
    }
    if (!Number.isSafeInteger(offset) || offset < 0 || offset + into.length > size) {
      throw new EngineError(
        'model',
        `${this.path}: tensor "${info.name}": bytes [${offset}, ${offset + into.length}) were asked for, it has ${size}`,
      )
    }
    const [position, tensor] = [info.start + offset, info.name]
    try {
      await new Promise<void>((resolve, reject) => {
        if (this.#wanted.length === 0) queueMicrotask(() => this.#readWanted())
        this.#wanted.push({ position, into, tensor, resolve, reject })
      })
    } catch (error) {
      throw readError(this.path, error, info.name)
    }
  }

  /** What is asked for in one turn and lies side by side is read at once: scales, biases and weights of a module mostly do. */
  #readWanted(): void {
    const wanted = this.#wanted.sort((a, b) => a.position - b.position)
    this.#wanted = []
    const runs: Wanted[][] = []
    let end = -1
    let left = 0
    for (const one of wanted) {
      const run = runs.at(-1)
      const isNext = one.position === end && one.into.length <= left
      if (run && isNext) run.push(one)
      else runs.push([one])
      left = (isNext ? left : MAX_READ) - one.into.length
      end = one.position + one.into.length
    }
    for (const run of runs) void readRun(this.#handle, this.path, run)
  }

  /** Closes the file; reads after this fail. */
  async close(): Promise<void> {
    await this.#handle.close()
  }
}

/** Reads parts that follow one another in the file; tells each of them how that went. */
async function readRun(handle: FileHandle, path: string, run: readonly Wanted[]): Promise<void> {
  const [{ position }] = run as [Wanted]
  const parts = run.map(({ into }) => into)
  try {
    let { bytesRead } = run.length > 1 ? await handle.readv(parts, position) : { bytesRead: 0 }
    for (const one of run) {
      const done = Math.min(bytesRead, one.into.length)
      bytesRead -= done
      // What came back short, if anything.
      await fill(handle, path, one.into.subarray(done), one.position + done, one.tensor)
      one.resolve()
    }
  } catch (error) {
    for (const one of run) one.reject(error)
  }
}

/** Fills `into` from `position` on. A read may come back short, so it goes on until done or the file ends. */
async function fill(
  handle: FileHandle,
  path: string,
  into: Uint8Array,
  position: number,
  tensor?: string,
): Promise<void> {
  let done = 0
  while (done < into.length) {
    const length = Math.min(into.length - done, MAX_READ)
    const { bytesRead } = await handle.read(into, done, length, position + done)
    if (bytesRead === 0) {
      throw brokenFile(path, `ends at byte ${position + done}, it was longer when opened`, tensor)
    }
    done += bytesRead
  }
}

/** Errors of the file system become the engine's, with the file's name; our own pass. */
function readError(path: string, error: unknown, tensor?: string): EngineError {
  if (error instanceof EngineError) return error
  const where = tensor === undefined ? '' : `tensor "${tensor}": `
  return new EngineError('model', `${path}: ${where}cannot be read (${reasonOf(error)})`, {
    cause: error,
  })
}
