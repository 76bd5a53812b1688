/**
 * The header of a GGUF file: metadata and the tensor table, checked against the file's size before anything is
 * believed. Parsing is over bytes in memory; `GgufFile` decides how many it needs.
 */
import { brokenGguf, GgufCursor, type GgufValue } from './gguf-cursor.ts'
import { show } from './json.ts'

/** How a tensor's numbers are stored: `block` numbers in `bytes` bytes. Ids as in ggml. */
export interface GgufType {
  name: string
  block: number
  bytes: number
}

const TYPES: Readonly<Record<number, GgufType>> = {
  0: { name: 'F32', block: 1, bytes: 4 },
  1: { name: 'F16', block: 1, bytes: 2 },
  2: { name: 'Q4_0', block: 32, bytes: 18 },
  3: { name: 'Q4_1', block: 32, bytes: 20 },
  6: { name: 'Q5_0', block: 32, bytes: 22 },
  7: { name: 'Q5_1', block: 32, bytes: 24 },
  8: { name: 'Q8_0', block: 32, bytes: 34 },
  10: { name: 'Q2_K', block: 256, bytes: 84 },
  11: { name: 'Q3_K', block: 256, bytes: 110 },
  12: { name: 'Q4_K', block: 256, bytes: 144 },
  13: { name: 'Q5_K', block: 256, bytes: 176 },
  14: { name: 'Q6_K', block: 256, bytes: 210 },
  15: { name: 'Q8_K', block: 256, bytes: 292 },
  16: { name: 'IQ2_XXS', block: 256, bytes: 66 },
  17: { name: 'IQ2_XS', block: 256, bytes: 74 },
  18: { name: 'IQ3_XXS', block: 256, bytes: 98 },
  19: { name: 'IQ1_S', block: 256, bytes: 50 },
  20: { name: 'IQ4_NL', block: 32, bytes: 18 },
  21: { name: 'IQ3_S', block: 256, bytes: 110 },
  22: { name: 'IQ2_S', block: 256, bytes: 82 },
  23: { name: 'IQ4_XS', block: 256, bytes: 136 },
  24: { name: 'I8', block: 1, bytes: 1 },
  25: { name: 'I16', block: 1, bytes: 2 },
  26: { name: 'I32', block: 1, bytes: 4 },
  27: { name: 'I64', block: 1, bytes: 8 },
  28: { name: 'F64', block: 1, bytes: 8 },
  29: { name: 'IQ1_M', block: 256, bytes: 56 },
  30: { name: 'BF16', block: 1, bytes: 2 },
  34: { name: 'TQ1_0', block: 256, bytes: 54 },
  35: { name: 'TQ2_0', block: 256, bytes: 66 },
  39: { name: 'MXFP4', block: 32, bytes: 17 },
  40: { name: 'NVFP4', block: 64, bytes: 36 },
}

export interface GgufTensor {
  name: string
  /** Outermost first, as safetensors has it (the file stores the innermost first). */
  shape: readonly number[]
  type: GgufType
  /** Absolute position in the file. */
  start: number
  /** Bytes of data. */
  bytes: number
}

export interface GgufHeader {
  metadata: ReadonlyMap<string, GgufValue>
  /** By name, in the order of the table. */
  tensors: ReadonlyMap<string, GgufTensor>
}

const MAX_TENSORS = 1_000_000
const MAX_KEYS = 100_000

/**
 * Parses the header out of the first bytes of a file.
 *
 * @param bytes the beginning of the file
 * @param fileBytes the whole file's size, which nothing may point beyond
 * @throws MoreBytesNeeded when `bytes` ends inside the header; EngineError('model') when the header is wrong
 */
export function parseGgufHeader(path: string, bytes: Uint8Array, fileBytes: number): GgufHeader {
  const cursor = new GgufCursor(path, bytes, fileBytes)
  const magic = cursor.u32()
  if (magic !== 0x46554747) throw brokenGguf(path, 'does not begin with "GGUF"')
  const version = cursor.u32()
  if (version !== 2 && version !== 3) {
    throw brokenGguf(path, `is GGUF version ${version}, expected 2 or 3 (little-endian)`)
  }
  const tensorCount = cursor.count(MAX_TENSORS, 'tensors')
  const keyCount = cursor.count(MAX_KEYS, 'metadata keys')
  const metadata = new Map<string, GgufValue>()
  for (let i = 0; i < keyCount; i++) {
    const key = cursor.string()
    if (metadata.has(key)) throw brokenGguf(path, `metadata key ${show(key)} appears twice`)
    metadata.set(key, cursor.value(cursor.u32(), 0))
  }
  const table = Array.from({ length: tensorCount }, () => readTensor(path, cursor))
  const alignment = metadata.get('general.alignment') ?? 32
  if (typeof alignment !== 'number' || alignment < 1 || alignment > 1 << 20 || alignment % 1) {
    throw brokenGguf(path, `general.alignment is ${show(alignment)}, expected 1 to 1048576`)
  }
  const dataStart = Math.ceil(cursor.position / alignment) * alignment
  return { metadata, tensors: placeTensors(path, table, dataStart, alignment, fileBytes) }
}

function readTensor(path: string, cursor: GgufCursor): GgufTensor {
  const name = cursor.string()
  const rank = cursor.u32()
  if (rank < 1 || rank > 4) {
    throw brokenGguf(path, `tensor ${show(name)} has ${rank} dimensions, expected 1 to 4`)
  }
  const shape = Array.from({ length: rank }, () => cursor.size()).reverse()
  const id = cursor.u32()
  const type = TYPES[id]
  if (type === undefined) {
    const known = Object.values(TYPES).map((each) => each.name)
    throw brokenGguf(
      path,
      `tensor ${show(name)} has type ${id}, which is not known here (known: ${known.join(', ')})`,
    )
  }
  const columns = shape.at(-1) ?? 0
  if (columns % type.block !== 0) {
    throw brokenGguf(
      path,
      `tensor ${show(name)} has rows of ${columns}, expected a multiple of ${type.block} for ${type.name}`,
    )
  }
  const numbers = shape.reduce((product, n) => product * BigInt(n), 1n)
  const bytes = (numbers / BigInt(type.block)) * BigInt(type.bytes)
  if (bytes > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw brokenGguf(path, `tensor ${show(name)} of shape [${shape}] is impossibly large`)
  }
  return { name, shape, type, start: cursor.size(), bytes: Number(bytes) }
}

function placeTensors(
  path: string,
  table: readonly GgufTensor[],
  dataStart: number,
  alignment: number,
  fileBytes: number,
): ReadonlyMap<string, GgufTensor> {
  const tensors = new Map<string, GgufTensor>()
  for (const tensor of table) {
    const start = dataStart + tensor.start
    if (tensors.has(tensor.name)) {
      throw brokenGguf(path, `tensor ${show(tensor.name)} appears twice`)
    }
    if (tensor.start % alignment !== 0) {
      throw brokenGguf(
        path,
        `tensor ${show(tensor.name)} begins at ${tensor.start}, not a multiple of ${alignment}`,
      )
    }
    if (start + tensor.bytes > fileBytes) {
      throw brokenGguf(
        path,
        `tensor ${show(tensor.name)} ends at byte ${start + tensor.bytes}, but the file has ${fileBytes}`,
      )
    }
    tensors.set(tensor.name, { ...tensor, start })
  }
  let end = 0
  let previous = ''
  for (const each of [...tensors.values()].sort((a, b) => a.start - b.start)) {
    if (each.start < end) {
      throw brokenGguf(path, `tensors ${show(previous)} and ${show(each.name)} overlap`)
    }
    end = each.start + each.bytes
    previous = each.name
  }
  return tensors
}
