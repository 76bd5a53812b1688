/**
 * For tests: writes small safetensors files and model folders, right ones and, through `header`, deliberately wrong
 * ones. Bytes are laid out in the order given, so that tests can say exactly what lies where.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface FixtureTensor {
  dtype: string
  shape: readonly number[]
  data: Uint8Array
}

/** A whole file: `prefix` replaces the stated header length, `json` the header's text, `trailing` follows the data. */
export function rawFile(json: string | Uint8Array, data: Uint8Array, prefix?: bigint): Uint8Array {
  const header = typeof json === 'string' ? new TextEncoder().encode(json) : json
  const file = new Uint8Array(8 + header.length + data.length)
  new DataView(file.buffer).setBigUint64(0, prefix ?? BigInt(header.length), true)
  file.set(header, 8)
  file.set(data, 8 + header.length)
  return file
}

/** A right file of these tensors, one after another. */
export function encodeSafetensors(
  tensors: Readonly<Record<string, FixtureTensor>>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  let at = 0
  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {}
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [at, at + data.length] }
    at += data.length
  }
  const data = new Uint8Array(at)
  at = 0
  for (const tensor of Object.values(tensors)) {
    data.set(tensor.data, at)
    at += tensor.data.length
  }
  return rawFile(JSON.stringify(header), data)
}

/** A tensor of zeros. */
export function zeros(dtype: 'F32' | 'F16' | 'BF16' | 'U32' | 'F64', ...shape: number[]) {
  const bytes = { F32: 4, F16: 2, BF16: 2, U32: 4, F64: 8 }[dtype]
  const size = shape.reduce((product, n) => product * n, bytes)
  return { dtype, shape, data: new Uint8Array(size) } satisfies FixtureTensor
}

/** Writes files into a new folder; values that are not bytes are written as JSON, strings as they are. */
export async function writeFolder(files: Readonly<Record<string, unknown>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'illuminator-fixture-'))
  for (const [name, content] of Object.entries(files)) {
    const isRaw = typeof content === 'string' || content instanceof Uint8Array
    await writeFile(join(folder, name), isRaw ? content : JSON.stringify(content))
  }
  return folder
}

/** Removes what `writeFolder` made. */
export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
}
