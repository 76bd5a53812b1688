/**
 * Reads the values of a GGUF header one after another. Nothing is believed: every length is compared with what the
 * file can hold before it is used, and bytes that are not there yet are asked for.
 */
import { EngineError } from '../errors.ts'

export type GgufValue = number | bigint | boolean | string | GgufValue[]

/** Thrown by the parser when the header goes on past the bytes it was given. */
export class MoreBytesNeeded extends Error {}

/** An error about a GGUF file: which, where, and what to do. */
export function brokenGguf(path: string, reason: string, cause?: unknown): EngineError {
  return new EngineError(
    'model',
    `${path}: ${reason}. The file is damaged or not GGUF: fetch it again.`,
    {
      cause,
    },
  )
}

const MAX_DEPTH = 4

const SCALARS: Readonly<Record<number, (view: DataView, at: number) => number | bigint | boolean>> =
  {
    0: (view, at) => view.getUint8(at),
    1: (view, at) => view.getInt8(at),
    2: (view, at) => view.getUint16(at, true),
    3: (view, at) => view.getInt16(at, true),
    4: (view, at) => view.getUint32(at, true),
    5: (view, at) => view.getInt32(at, true),
    6: (view, at) => view.getFloat32(at, true),
    7: (view, at) => view.getUint8(at) !== 0,
    10: (view, at) => narrow(view.getBigUint64(at, true)),
    11: (view, at) => narrow(view.getBigInt64(at, true)),
    12: (view, at) => view.getFloat64(at, true),
  }
const SCALAR_BYTES: readonly number[] = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8]

function narrow(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A position in the header. Every length is compared with what the file can hold before it is used. */
export class GgufCursor {
  position = 0
  readonly #path: string
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #fileBytes: number

  constructor(path: string, bytes: Uint8Array, fileBytes: number) {
    this.#path = path
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#fileBytes = fileBytes
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true)
  }

  /** A 64-bit size that must be a safe integer. */
  size(): number {
    const value = this.#view.getBigUint64(this.#take(8), true)
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw brokenGguf(this.#path, `has a size of ${value} at byte ${this.position - 8}`)
    }
    return Number(value)
  }

  count(most: number, what: string): number {
    const value = this.size()
    if (value > most) {
      throw brokenGguf(this.#path, `states ${value} ${what}, expected at most ${most}`)
    }
    return value
  }

  string(): string {
    const length = this.size()
    const start = this.#take(length)
    try {
      return utf8.decode(this.#bytes.subarray(start, start + length))
    } catch (cause) {
      throw brokenGguf(this.#path, `has a string at byte ${start} that is not UTF-8`, cause)
    }
  }

  value(type: number, depth: number): GgufValue {
    if (type === 8) return this.string()
    if (type === 9) return this.#array(depth)
    const read = SCALARS[type]
    if (read === undefined) {
      throw brokenGguf(this.#path, `has a metadata value of unknown type ${type}`)
    }
    return read(this.#view, this.#take(SCALAR_BYTES[type] ?? 0))
  }

  #array(depth: number): GgufValue[] {
    if (depth >= MAX_DEPTH) throw brokenGguf(this.#path, 'has arrays nested too deeply')
    const type = this.u32()
    const length = this.size()
    const least = type === 8 ? 8 : type === 9 ? 12 : (SCALAR_BYTES[type] ?? 0)
    this.#need(length * Math.max(1, least))
    const values: GgufValue[] = []
    for (let i = 0; i < length; i++) values.push(this.value(type, depth + 1))
    return values
  }

  #take(length: number): number {
    this.#need(length)
    const at = this.position
    this.position += length
    return at
  }

  #need(length: number): void {
    if (this.position + length > this.#fileBytes) {
      throw brokenGguf(
        this.#path,
        `needs ${length} bytes at byte ${this.position} of its header, but the file has ${this.#fileBytes}`,
      )
    }
    if (this.position + length > this.#bytes.length) throw new MoreBytesNeeded()
  }
}
