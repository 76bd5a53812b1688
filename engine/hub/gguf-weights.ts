/**
 * GGUF tensors as the MLX affine form: the same numbers, rearranged. A block of 32 with scale d and minimum m is
 * `q * d + m` in both; the forms without a minimum have one that is a power of two times d, so it is exact in F16.
 * Nothing is rounded: a value that F16 cannot hold is refused, or kept in F32.
 */
import { EngineError } from '../errors.ts'
import type { GgufFile, GgufTensor } from '../weights/gguf.ts'
import type { TensorSource } from '../weights/safetensors-writer.ts'
import { exactF16, scaleF16 } from './float16.ts'

/** How a block of 32 is laid out: where the codes begin, their width, and the minimum as a multiple of d. */
interface BlockForm {
  bits: 4 | 8
  codes: number
  /** Null where the block stores its minimum. */
  minimum: number | null
}

const BLOCKS: Readonly<Record<string, BlockForm>> = {
  Q4_0: { bits: 4, codes: 2, minimum: -8 },
  Q4_1: { bits: 4, codes: 4, minimum: null },
  Q8_0: { bits: 8, codes: 2, minimum: -128 },
}

export const GROUP_SIZE = 32

/** Bits of a tensor's codes, or null for one that is stored as plain numbers. */
export function quantizedBits(tensor: GgufTensor): 4 | 8 | null {
  return BLOCKS[tensor.type.name]?.bits ?? null
}

/** Largest piece of a tensor read at once. */
const CHUNK_BYTES = 1 << 22

/**
 * The safetensors tensors that hold what one GGUF tensor holds: `weight`, `scales` and `biases` for a quantised
 * matrix, one F16 (or, where that would round, F32) tensor otherwise.
 *
 * @param name the name without `.weight`
 * @param headDim set for Q and K, whose rows llama.cpp stores interleaved within each head
 * @throws EngineError('model') naming a tensor whose type cannot be carried over without loss
 */
export async function convertTensor(
  file: GgufFile,
  tensor: GgufTensor,
  name: string,
  headDim?: number,
): Promise<TensorSource[]> {
  const form = BLOCKS[tensor.type.name]
  if (form === undefined) return [await convertPlain(file, tensor, name, headDim)]
  const [rows = 0, columns = 0] = tensor.shape
  if (tensor.shape.length !== 2) {
    throw new EngineError(
      'model',
      `${file.path}: ${tensor.name} is ${tensor.type.name} with ${tensor.shape.length} dimensions, expected a matrix.`,
    )
  }
  const groups = columns / GROUP_SIZE
  const pieces = (write: WriteBlock, bytesPerBlock: number) => () =>
    convertBlocks(file, tensor, { write, bytesPerBlock, headDim })
  const codeBytes = (GROUP_SIZE * form.bits) / 8
  return [
    {
      name: `${name}.weight`,
      dtype: 'U32',
      shape: [rows, (columns * form.bits) / 32],
      chunks: pieces(
        form.bits === 4 ? writeNibbles(form.codes) : writeBytes(form.codes),
        codeBytes,
      ),
    },
    {
      name: `${name}.scales`,
      dtype: 'F16',
      shape: [rows, groups],
      chunks: pieces((source, at, out, to) => copy16(source, at, out, to), 2),
    },
    {
      name: `${name}.biases`,
      dtype: 'F16',
      shape: [rows, groups],
      chunks: pieces(writeMinimum(form, `${file.path}: ${tensor.name}`), 2),
    },
  ]
}

/** Writes what one block contributes to an output, at byte `to` of `out`. */
type WriteBlock = (source: Uint8Array, at: number, out: Uint8Array, to: number) => void

function copy16(source: Uint8Array, at: number, out: Uint8Array, to: number): void {
  out[to] = source[at]!
  out[to + 1] = source[at + 1]!
}

/** ggml: byte i holds code i below and code i + 16 above. MLX: eight codes a word, first lowest. */
function writeNibbles(codes: number): WriteBlock {
  return (source, at, out, to) => {
    for (let i = 0; i < 8; i++) {
      const even = source[at + codes + 2 * i]!
      const odd = source[at + codes + 2 * i + 1]!
      out[to + i] = (even & 15) | ((odd & 15) << 4)
      out[to + 8 + i] = (even >> 4) | (odd & 0xf0)
    }
  }
}

/** ggml's codes are signed; MLX's are 0 to 255 with the minimum at −128 d. */
function writeBytes(codes: number): WriteBlock {
  return (source, at, out, to) => {
    for (let i = 0; i < GROUP_SIZE; i++) out[to + i] = source[at + codes + i]! ^ 0x80
  }
}

function writeMinimum(form: BlockForm, where: string): WriteBlock {
  const { minimum } = form
  if (minimum === null) return (source, at, out, to) => copy16(source, at + 2, out, to)
  const shift = Math.log2(-minimum)
  return (source, at, out, to) => {
    const bits = source[at]! | (source[at + 1]! << 8)
    const scaled = scaleF16(bits, shift)
    if (scaled === null) {
      throw new EngineError(
        'model',
        `${where}: a block's scale is too large or too small to be carried over without loss. Use another form of the model.`,
      )
    }
    const negative = scaled ^ 0x8000
    out[to] = negative & 255
    out[to + 1] = negative >> 8
  }
}

interface BlockPlan {
  write: WriteBlock
  /** Bytes a block becomes. */
  bytesPerBlock: number
  headDim: number | undefined
}

async function* convertBlocks(file: GgufFile, tensor: GgufTensor, plan: BlockPlan) {
  const { bytes } = tensor.type
  for await (const source of readRows(file, tensor, plan.headDim)) {
    const blocks = source.length / bytes
    const out = new Uint8Array(blocks * plan.bytesPerBlock)
    for (let b = 0; b < blocks; b++) {
      plan.write(source, b * bytes, out, b * plan.bytesPerBlock)
    }
    yield out
  }
}

/** The tensor's rows as stored, a bounded number at a time; with `headDim`, in the order of Hugging Face. */
async function* readRows(file: GgufFile, tensor: GgufTensor, headDim: number | undefined) {
  const rows = tensor.shape.slice(0, -1).reduce((product, n) => product * n, 1)
  const rowBytes = tensor.bytes / rows
  const step = headDim ?? 1
  if (headDim !== undefined && (rows % headDim !== 0 || headDim % 2 !== 0)) {
    throw new EngineError(
      'model',
      `${file.path}: ${tensor.name} has ${rows} rows, expected a multiple of the (even) head size ${headDim}. The file is damaged: fetch it again.`,
    )
  }
  const most = Math.max(1, Math.floor(CHUNK_BYTES / (rowBytes * step))) * step
  for (let first = 0; first < rows; first += most) {
    const count = Math.min(most, rows - first)
    const stored = new Uint8Array(count * rowBytes)
    await file.read(tensor, first * rowBytes, stored)
    yield headDim === undefined ? stored : separateHalves(stored, count, headDim)
  }
}

function separateHalves(stored: Uint8Array, rows: number, headDim: number): Uint8Array {
  const rowBytes = stored.length / rows
  const out = new Uint8Array(stored.length)
  for (let row = 0; row < rows; row++) {
    const from = interleavedRow(row, headDim) * rowBytes
    out.set(stored.subarray(from, from + rowBytes), row * rowBytes)
  }
  return out
}

/** Where llama.cpp put row `row`: it stores the two halves of each head in turns. */
function interleavedRow(row: number, headDim: number): number {
  const within = row % headDim
  const half = headDim / 2
  return row - within + (within < half ? 2 * within : 2 * (within - half) + 1)
}

async function convertPlain(
  file: GgufFile,
  tensor: GgufTensor,
  name: string,
  headDim: number | undefined,
): Promise<TensorSource> {
  const { shape, type } = tensor
  const full = `${name}.weight`
  const raw = () => readRows(file, tensor, headDim)
  if (type.name === 'F16') return { name: full, dtype: 'F16', shape, chunks: raw }
  if (type.name === 'BF16') return { name: full, dtype: 'BF16', shape, chunks: raw }
  if (type.name !== 'F32') {
    throw new EngineError(
      'model',
      `${file.path}: ${tensor.name} is ${type.name}, which cannot be carried over without loss; known: ${Object.keys(BLOCKS).join(', ')}, F32, F16, BF16. Use another form of the model.`,
    )
  }
  for await (const piece of raw()) {
    if (toF16(piece) === null) return { name: full, dtype: 'F32', shape, chunks: raw }
  }
  return {
    name: full,
    dtype: 'F16',
    shape,
    async *chunks() {
      for await (const piece of raw()) yield toF16(piece) ?? new Uint8Array(0)
    },
  }
}

/** F32 bytes as F16 bytes, or null where a value would be rounded. */
function toF16(bytes: Uint8Array): Uint8Array | null {
  const source = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const out = new Uint8Array(bytes.length / 2)
  const target = new DataView(out.buffer)
  for (let i = 0; i < bytes.length / 4; i++) {
    const half = exactF16(source.getUint32(4 * i, true))
    if (half === null) return null
    target.setUint16(2 * i, half, true)
  }
  return out
}
