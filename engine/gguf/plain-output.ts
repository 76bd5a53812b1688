/** Tensors that become plain numbers: vectors, and weights that Hugging Face stores by columns (GPT-2) or stacked (gpt-oss). */
import type { GgufTensor } from '../weights/gguf.ts'
import type { ShardItem } from '../weights/shard-writer.ts'
import { plainType } from './block-types.ts'
import { exactF16 } from './float16.ts'
import type { GgufSource } from './metadata.ts'
import { decodeRows } from './numbers.ts'
import { readAllRows, rowBytes, rowsOf, separateHalves } from './rows.ts'

type Dtype = 'F32' | 'F16' | 'BF16'

/** What becomes of a vector on the way. */
export interface VectorChange {
  /** Numbers from `first` on, where not all are taken. */
  readonly first?: number
  readonly length?: number
  /** Size of a head whose numbers take turns, or null. */
  readonly headDim?: number | null
  /** 1 is taken off. */
  readonly isShifted?: boolean
}

/** A vector, in the fewest bytes that hold its numbers: F32 goes into F16 where that is exact. */
export async function vectorItem(
  source: GgufSource,
  tensor: GgufTensor,
  name: string,
  change: VectorChange = {},
): Promise<ShardItem> {
  const { bytes: width, block } = tensor.type
  const { first = 0, headDim = null } = change
  const all = tensor.shape.at(-1) ?? 0
  const length = change.length ?? all - first
  const whole = new Uint8Array(tensor.bytes)
  await source.read(tensor, 0, whole)
  const plain = plainType(tensor.type.name)
  const part = block === 1 ? whole.subarray(first * width, (first + length) * width) : whole
  const ordered = headDim === null ? part : separateHalves(part, width, headDim)
  if ((plain === 'F16' || plain === 'BF16') && !change.isShifted) {
    return item(name, plain, [length], ordered, tensor.bytes)
  }
  const decoded = decodeRows(tensor.type, ordered)
  const values = block === 1 ? decoded : decoded.slice(first, first + length)
  if (change.isShifted) for (const [i, value] of values.entries()) values[i] = value - 1
  const halves = toF16(values)
  return halves === null
    ? item(name, 'F32', [length], bytesOf(values), tensor.bytes)
    : item(name, 'F16', [length], halves, tensor.bytes)
}

function item(
  name: string,
  dtype: Dtype,
  shape: readonly number[],
  content: Uint8Array,
  bytes: number,
): ShardItem {
  return { heads: [{ name, dtype, shape }], bytes, write: (put) => put(name, content, bytes) }
}

const bytesOf = (values: Float32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength)

/** Null where a value would be rounded. */
function toF16(values: Float32Array): Uint8Array | null {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const out = new Uint16Array(values.length)
  for (let i = 0; i < out.length; i++) {
    const half = exactF16(bits[i]!)
    if (half === null) return null
    out[i] = half
  }
  return new Uint8Array(out.buffer)
}

/** Bytes of numbers that hold what a type does: plain ones stay, MXFP4 is exact in BF16, others take F32. */
function dtypeOf(tensor: GgufTensor): Dtype {
  return plainType(tensor.type.name) ?? (tensor.type.name === 'MXFP4' ? 'BF16' : 'F32')
}

/** A matrix [outputs, inputs] as [inputs, outputs]. */
export function transposedItem(source: GgufSource, tensor: GgufTensor, name: string): ShardItem {
  const [rows = 0, columns = 0] = tensor.shape
  const dtype = dtypeOf(tensor)
  return {
    heads: [{ name, dtype, shape: [columns, rows] }],
    bytes: tensor.bytes,
    async write(put) {
      const out = await transposed(source, [{ tensor, first: 0, rows }], dtype)
      await put(name, out, tensor.bytes)
    },
  }
}

/**
 * Matrices of all experts, [experts, outputs, inputs], as one tensor [experts, inputs, outputs]; of several tensors the
 * outputs take turns. One expert at a time is in memory.
 */
export function stackedItem(
  source: GgufSource,
  tensors: readonly GgufTensor[],
  name: string,
): ShardItem {
  const [count = 0, rows = 0, columns = 0] = tensors[0]?.shape ?? []
  const kinds = new Set(tensors.map(dtypeOf))
  const [only] = kinds
  const dtype = kinds.size === 1 && only !== undefined ? only : 'F32'
  const bytes = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0)
  return {
    heads: [{ name, dtype, shape: [count, columns, rows * tensors.length] }],
    bytes,
    async write(put) {
      for (let expert = 0; expert < count; expert++) {
        const parts = tensors.map((tensor) => ({ tensor, first: expert * rows, rows }))
        await put(name, await transposed(source, parts, dtype), bytes / count)
      }
    },
  }
}

/** Rows of experts, [experts, outputs], of which those of several tensors take turns. */
export async function stackedBias(
  source: GgufSource,
  tensors: readonly GgufTensor[],
  name: string,
): Promise<ShardItem> {
  const [count = 0, width = 0] = tensors[0]?.shape ?? []
  const bytes = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0)
  const out = new Float32Array(count * width * tensors.length)
  for (const [t, tensor] of tensors.entries()) {
    const rows = { tensor, first: 0, rows: rowsOf(tensor), headDim: null }
    const values = decodeRows(tensor.type, await readAllRows(source, rows))
    for (let i = 0; i < values.length; i++) out[i * tensors.length + t] = values[i]!
  }
  return item(name, 'F32', [count, width * tensors.length], bytesOf(out), bytes)
}

interface Part {
  readonly tensor: GgufTensor
  readonly first: number
  readonly rows: number
}

/** Rows as columns; those of several parts take turns. */
async function transposed(
  source: GgufSource,
  parts: readonly Part[],
  dtype: Dtype,
): Promise<Uint8Array> {
  const { rows = 0, tensor } = parts[0] ?? {}
  const columns = tensor?.shape.at(-1) ?? 0
  const width = rows * parts.length
  const out = dtype === 'F32' ? new Float32Array(width * columns) : new Uint16Array(width * columns)
  for (const [p, part] of parts.entries()) {
    const stored = await readAllRows(source, { ...part, headDim: null })
    const values = elementsOf(part.tensor, stored, dtype)
    for (let row = 0; row < rows; row++) {
      const to = row * parts.length + p
      for (let c = 0; c < columns; c++) out[c * width + to] = values[row * columns + c]!
    }
  }
  return new Uint8Array(out.buffer)
}

/** Numbers in the form that they are written in: floats, or the bits of halves. */
function elementsOf(
  tensor: GgufTensor,
  stored: Uint8Array,
  dtype: Dtype,
): Float32Array | Uint16Array {
  if (dtype === 'F32') return decodeRows(tensor.type, stored)
  if (plainType(tensor.type.name) !== null) return new Uint16Array(stored.slice().buffer)
  const bits = new Uint32Array(decodeRows(tensor.type, stored).buffer)
  return Uint16Array.from(bits, (each) => each >>> 16)
}

/** A table whose rows stay as they are, in plain numbers whatever it was stored in. */
export function tableItem(source: GgufSource, tensor: GgufTensor, name: string): ShardItem {
  const dtype = dtypeOf(tensor)
  const rows = rowsOf(tensor)
  const columns = tensor.shape.at(-1) ?? 0
  return {
    heads: [{ name, dtype, shape: [rows, columns] }],
    bytes: rows * rowBytes(tensor),
    async write(put) {
      const stored = await readAllRows(source, { tensor, first: 0, rows, headDim: null })
      const values = elementsOf(tensor, stored, dtype)
      await put(name, new Uint8Array(values.buffer), tensor.bytes)
    },
  }
}
