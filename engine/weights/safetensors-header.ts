/**
 * The header of a safetensors file, checked before anything is believed. Format: 8 bytes little-endian length, that
 * many bytes of JSON (`name → {dtype, shape, data_offsets}` and an optional `__metadata__`), then the data, which the
 * tensors must cover exactly. The rules are those of the reference reader (huggingface/safetensors, tensor.rs),
 * plus duplicate keys and empty names. Pure: bytes in, tensors or an `EngineError('model')` out.
 */
import { isUtf8 } from 'node:buffer'
import { EngineError } from '../errors.ts'
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
  reasonOf,
  show,
  structuralFault,
} from './json.ts'

/** The number types that safetensors names. */
export type DType =
  | 'F64'
  | 'F32'
  | 'F16'
  | 'BF16'
  | 'I64'
  | 'I32'
  | 'I16'
  | 'I8'
  | 'U64'
  | 'U32'
  | 'U16'
  | 'U8'
  | 'BOOL'
  | 'F8_E4M3'
  | 'F8_E5M2'

/** Where one tensor lies. */
export interface TensorInfo {
  name: string
  dtype: DType
  shape: readonly number[]
  /** First byte, counted from the start of the file. */
  start: number
  /** One past the last byte, counted from the start of the file. */
  end: number
}

export interface Header {
  tensors: ReadonlyMap<string, TensorInfo>
  metadata: Readonly<Record<string, string>>
}

const ELEMENT_BYTES: Readonly<Record<DType, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
}

/** The length prefix. */
export const PREFIX_BYTES = 8
/** The reference implementation's cap on the JSON. */
const MAX_HEADER_BYTES = 100_000_000

/** The one form of every complaint about a file: file, tensor where there is one, reason, what to do. */
export function brokenFile(path: string, reason: string, tensor?: string, cause?: unknown) {
  const where = tensor === undefined ? '' : `tensor ${show(tensor)}: `
  return new EngineError(
    'model',
    `${path}: ${where}${reason}. The file is damaged or not safetensors: fetch or export it again.`,
    { cause },
  )
}

/**
 * Reads the length prefix.
 *
 * @param prefix the first bytes of the file, fewer than 8 when it is shorter
 * @param fileBytes size of the whole file
 * @returns bytes of JSON that follow the prefix
 */
export function headerLength(path: string, prefix: Uint8Array, fileBytes: number): number {
  if (prefix.length < PREFIX_BYTES) {
    throw brokenFile(path, `is ${fileBytes} bytes long, expected at least ${PREFIX_BYTES}`)
  }
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength)
  const length = view.getBigUint64(0, true)
  if (length > BigInt(fileBytes - PREFIX_BYTES)) {
    throw brokenFile(
      path,
      `states a header of ${length} bytes, but only ${fileBytes - PREFIX_BYTES} bytes follow`,
    )
  }
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw brokenFile(path, `states a header of ${length} bytes, the most is ${MAX_HEADER_BYTES}`)
  }
  return Number(length)
}

/**
 * Parses and checks the JSON part.
 *
 * @param bytes the header's JSON, without the prefix
 * @param fileBytes size of the whole file
 */
export function parseHeader(path: string, bytes: Uint8Array, fileBytes: number): Header {
  const json = parseJson(path, bytes)
  const dataStart = PREFIX_BYTES + bytes.length
  const tensors: TensorInfo[] = []
  for (const name of Object.keys(json)) {
    if (name === '__metadata__') continue
    tensors.push(parseTensor(path, name, json[name], dataStart, fileBytes))
  }
  checkCoverage(path, tensors, dataStart, fileBytes)
  return {
    tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])),
    metadata: parseMetadata(path, json.__metadata__),
  }
}

function parseJson(path: string, bytes: Uint8Array): JsonObject {
  if (bytes[0] !== 0x7b) {
    const found = bytes.length === 0 ? 'nothing' : `byte 0x${bytes[0]?.toString(16)}`
    throw brokenFile(path, `the header begins with ${found}, expected "{"`)
  }
  if (!isUtf8(bytes)) throw brokenFile(path, 'the header is not valid UTF-8')
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
  const fault = structuralFault(text)
  if (fault !== null) throw brokenFile(path, `in the header ${fault}`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const reason = `the header is not valid JSON (${reasonOf(error)})`
    throw brokenFile(path, reason, undefined, error)
  }
  if (!isJsonObject(value)) throw brokenFile(path, `the header is ${show(value)}, not an object`)
  return value
}

function parseMetadata(path: string, value: JsonValue | undefined): Record<string, string> {
  if (value === undefined || value === null) return {}
  if (!isJsonObject(value)) {
    throw brokenFile(path, `__metadata__ is ${show(value)}, expected an object of strings`)
  }
  const pairs = Object.entries(value).map(([key, text]): [string, string] => {
    if (typeof text === 'string') return [key, text]
    throw brokenFile(path, `__metadata__ ${show(key)} is ${show(text)}, expected a string`)
  })
  return Object.fromEntries(pairs)
}

/** A count as the format has it: −0, fractions and numbers that a double cannot hold exactly are refused. */
function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && !Object.is(value, -0)
}

function parseTensor(
  path: string,
  name: string,
  entry: JsonValue | undefined,
  dataStart: number,
  fileBytes: number,
): TensorInfo {
  const broken = (reason: string) => brokenFile(path, reason, name)
  if (name === '') throw broken('the name is empty')
  if (!isJsonObject(entry)) throw broken(`its entry is ${show(entry)}, expected an object`)
  const { dtype, shape, data_offsets: offsets } = entry
  if (typeof dtype !== 'string' || !Object.hasOwn(ELEMENT_BYTES, dtype)) {
    const known = Object.keys(ELEMENT_BYTES).join(', ')
    throw broken(`dtype is ${show(dtype)}, expected one of ${known}`)
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    throw broken(`shape is ${show(shape)}, expected a list of non-negative integers`)
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw broken(`data_offsets is ${show(offsets)}, expected two non-negative integers`)
  }
  const [begin = 0, end = 0] = offsets
  if (begin > end) throw broken(`data_offsets ${show(offsets)} run backwards`)
  if (end > fileBytes - dataStart) {
    throw broken(
      `data_offsets ${show(offsets)} reach past the ${fileBytes - dataStart} data bytes of the file (truncated?)`,
    )
  }
  const needed = tensorBytes(dtype as DType, shape)
  if (needed !== BigInt(end - begin)) {
    const size = needed === null ? 'more than 2^64' : needed
    throw broken(
      `${dtype} of shape ${show(shape)} takes ${size} bytes, but data_offsets ${show(offsets)} hold ${end - begin}`,
    )
  }
  return {
    name,
    dtype: dtype as DType,
    shape: Object.freeze(shape),
    start: dataStart + begin,
    end: dataStart + end,
  }
}

/** dtype × shape in exact arithmetic; null as soon as it leaves 64 bits, so that a long shape cannot take long. */
function tensorBytes(dtype: DType, shape: readonly number[]): bigint | null {
  let bytes = BigInt(ELEMENT_BYTES[dtype])
  for (const size of shape) {
    bytes *= BigInt(size)
    if (bytes >= 1n << 64n) return null
  }
  return bytes
}

/** The tensors, sorted, must follow each other without overlap or hole and end where the file ends. */
function checkCoverage(path: string, tensors: TensorInfo[], dataStart: number, fileBytes: number) {
  tensors.sort((a, b) => a.start - b.start || a.end - b.end)
  let cursor = dataStart
  let before = 'the header'
  for (const { name, start, end } of tensors) {
    if (start < cursor)
      throw brokenFile(path, `overlaps ${before} by ${cursor - start} bytes`, name)
    if (start > cursor) {
      throw brokenFile(path, `leaves a hole of ${start - cursor} bytes after ${before}`, name)
    }
    cursor = end
    before = show(name)
  }
  if (cursor !== fileBytes) {
    throw brokenFile(path, `${fileBytes - cursor} bytes trail behind ${before}`)
  }
}
