/**
 * Reads rows of a tensor, a bounded number at a time. llama.cpp stores the two halves of each head of q and k in turns;
 * here they come apart again, as Hugging Face has them.
 */
import type { GgufTensor } from '../weights/gguf.ts'
import { type GgufSource, refuse } from './metadata.ts'

/** Rows of a tensor, its outer dimensions taken together. */
export interface TensorRows {
  readonly tensor: GgufTensor
  readonly first: number
  readonly rows: number
  /** Size of a head whose rows take turns, or null. */
  readonly headDim: number | null
}

/** Largest piece of a tensor read at once, where a head is not larger. */
const CHUNK_BYTES = 1 << 22

/** Rows of a whole tensor: all dimensions but the innermost. */
export const rowsOf = ({ shape }: GgufTensor): number =>
  shape.slice(0, -1).reduce((product, n) => product * n, 1)

export const rowBytes = (tensor: GgufTensor): number => tensor.bytes / rowsOf(tensor)

/** @throws EngineError('model') where heads do not divide the rows, or the file ends early */
export async function* readRows(
  source: GgufSource,
  { tensor, first, rows, headDim }: TensorRows,
): AsyncGenerator<Uint8Array> {
  const width = rowBytes(tensor)
  const step = headDim ?? 1
  if (headDim !== null && (rows % headDim !== 0 || headDim % 2 !== 0)) {
    throw refuse(
      source,
      `${tensor.name} has ${rows} rows, expected a multiple of the (even) head size ${headDim}. The file is damaged: fetch it again.`,
    )
  }
  const most = Math.max(1, Math.floor(CHUNK_BYTES / (width * step))) * step
  for (let done = 0; done < rows; done += most) {
    const count = Math.min(most, rows - done)
    const stored = new Uint8Array(count * width)
    await source.read(tensor, (first + done) * width, stored)
    yield headDim === null ? stored : separateHalves(stored, width, headDim)
  }
}

/** All of them at once: for small ones. */
export async function readAllRows(source: GgufSource, rows: TensorRows): Promise<Uint8Array> {
  const bytes = new Uint8Array(rows.rows * rowBytes(rows.tensor))
  let done = 0
  for await (const piece of readRows(source, rows)) {
    bytes.set(piece, done)
    done += piece.length
  }
  return bytes
}

/** Rows of `width` bytes, heads of which take turns, in the order of Hugging Face. */
export function separateHalves(stored: Uint8Array, width: number, headDim: number): Uint8Array {
  const out = new Uint8Array(stored.length)
  for (let row = 0; row * width < stored.length; row++) {
    const from = interleavedRow(row, headDim) * width
    out.set(stored.subarray(from, from + width), row * width)
  }
  return out
}

/** Where llama.cpp put row `row`. */
function interleavedRow(row: number, headDim: number): number {
  const within = row % headDim
  const half = headDim / 2
  return row - within + (within < half ? 2 * within : 2 * (within - half) + 1)
}
