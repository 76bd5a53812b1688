/**
 * Writes a safetensors file, one tensor after another from streams: no tensor needs to be in memory. The layout is
 * the reference library's (widest type first, then by name; header padded to 8 bytes), so that equal tensors give
 * equal files.
 */
import { open } from 'node:fs/promises'

const BYTES = { F32: 4, U32: 4, F16: 2, BF16: 2 } as const

/** A tensor to write. `chunks` yields its bytes in order, little-endian. */
export interface TensorSource {
  name: string
  dtype: keyof typeof BYTES
  shape: readonly number[]
  chunks(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

/** Bytes of a tensor's data. */
export function tensorBytes(tensor: Pick<TensorSource, 'dtype' | 'shape'>): number {
  return tensor.shape.reduce((product, n) => product * n, BYTES[tensor.dtype])
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
  const ordered = [...tensors].sort(
    (a, b) => BYTES[b.dtype] - BYTES[a.dtype] || (a.name < b.name ? -1 : 1),
  )
  const file = await open(path, 'w')
  try {
    await writeAll(file, encodeHeader(ordered, metadata))
    for (const tensor of ordered) {
      const expected = tensorBytes(tensor)
      let written = 0
      for await (const chunk of tensor.chunks()) {
        written += chunk.length
        if (written > expected) break
        await writeAll(file, chunk)
        onBytes(chunk.length)
      }
      if (written !== expected) {
        throw new RangeError(
          `${tensor.name}: ${written} bytes for ${tensor.dtype} [${tensor.shape}], expected ${expected}`,
        )
      }
    }
    await file.sync()
  } finally {
    await file.close()
  }
}

function encodeHeader(
  tensors: readonly TensorSource[],
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

async function writeAll(
  file: { write(bytes: Uint8Array): Promise<{ bytesWritten: number }> },
  bytes: Uint8Array,
): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes.subarray(done))
    done += bytesWritten
  }
}
