/** For tests: writes small GGUF files, right ones and, through the options, deliberately wrong ones. */

export interface FixtureGguf {
  metadata?: readonly (readonly [key: string, type: number, value: unknown])[]
  /** `shape` innermost first, as the file has it. */
  tensors?: readonly FixtureGgufTensor[]
  version?: number
  magic?: string
  /** Stated counts, where they lie. */
  tensorCount?: bigint
  keyCount?: bigint
  alignment?: number
}

export interface FixtureGgufTensor {
  name: string
  shape: readonly number[]
  type: number
  data: Uint8Array
  /** Stated offset, where it lies. */
  offset?: number
}

/** Grows a list of bytes by little-endian values. */
class Bytes {
  readonly list: number[] = []

  integer(value: number | bigint, bytes: number): this {
    for (let i = 0n; i < BigInt(bytes); i++) {
      this.list.push(Number((BigInt(value) >> (8n * i)) & 255n))
    }
    return this
  }

  string(text: string): this {
    const bytes = new TextEncoder().encode(text)
    this.integer(bytes.length, 8).list.push(...bytes)
    return this
  }

  value(type: number, value: unknown): this {
    if (type === 8) return this.string(String(value))
    if (type === 9) {
      const { of, items } = value as { of: number; items: readonly unknown[] }
      this.integer(of, 4).integer(items.length, 8)
      for (const item of items) this.value(of, item)
      return this
    }
    if (type === 6) {
      this.list.push(...new Uint8Array(Float32Array.of(Number(value)).buffer))
      return this
    }
    const bytes = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8][type] ?? 4
    return this.integer(typeof value === 'boolean' ? Number(value) : (value as number), bytes)
  }
}

/** The bytes of a GGUF file. */
export function encodeGguf(file: FixtureGguf): Uint8Array {
  const { metadata = [], tensors = [], alignment = 32 } = file
  const header = new Bytes()
  header.list.push(...new TextEncoder().encode(file.magic ?? 'GGUF'))
  header.integer(file.version ?? 3, 4)
  header.integer(file.tensorCount ?? tensors.length, 8)
  header.integer(file.keyCount ?? metadata.length, 8)
  for (const [key, type, value] of metadata) header.string(key).integer(type, 4).value(type, value)
  let offset = 0
  const align = (at: number) => Math.ceil(at / alignment) * alignment
  const places = tensors.map((tensor) => {
    const at = offset
    offset = align(at + tensor.data.length)
    return at
  })
  tensors.forEach((tensor, i) => {
    header.string(tensor.name).integer(tensor.shape.length, 4)
    for (const n of tensor.shape) header.integer(n, 8)
    header.integer(tensor.type, 4).integer(tensor.offset ?? places[i] ?? 0, 8)
  })
  const start = align(header.list.length)
  const bytes = new Uint8Array(start + offset)
  bytes.set(header.list)
  tensors.forEach((tensor, i) => {
    bytes.set(tensor.data, start + (places[i] ?? 0))
  })
  return bytes
}
