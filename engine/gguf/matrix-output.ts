/**
 * A matrix of a GGUF as a matrix of a safetensors file: the same numbers, rearranged. What is affine in runs of 32 goes
 * into MLX's form (`weight`, `scales`, `biases`), plain numbers stay as they are. Nothing is rounded but the types that are
 * not affine (`numbers.ts`).
 */
import { EngineError } from '../errors.ts'
import type { GgufType } from '../weights/gguf-header.ts'
import type { ShardItem, WriteTensor } from '../weights/shard-writer.ts'
import {
  affineType,
  GROUP,
  type Groups,
  KNOWN_TYPES,
  plainType,
  roundedType,
} from './block-types.ts'
import { exactF16 } from './float16.ts'
import { type GgufSource, refuse } from './metadata.ts'
import { unpackRows } from './numbers.ts'
import { readRows, rowBytes, type TensorRows } from './rows.ts'

/** Codes and scales of a matrix as it will be written; null: plain numbers. */
export type Form = { readonly bits: 4 | 8; readonly scale: 'F16' | 'F32' } | null

export interface MatrixOutput extends TensorRows {
  /** Module path: names without `.weight`. */
  readonly path: string
  /** Matrices that the engine reads as one should have one form; null: on its own. */
  readonly together: string | null
}

/** Thrown where F16 does not hold a bias of a matrix: write it again with F32. */
export class WideScales extends Error {
  readonly path: string
  constructor(path: string) {
    super(`${path} has a bias beyond F16`)
    this.path = path
  }
}

/** @throws EngineError('model') naming a tensor whose type is not read */
export function formOf(source: GgufSource, { tensor }: Pick<MatrixOutput, 'tensor'>): Form {
  const { name } = tensor.type
  const affine = affineType(name)
  if (affine !== null) return { bits: affine.bits, scale: affine.scale }
  if (roundedType(name) !== null) return { bits: 8, scale: 'F16' }
  if (plainType(name) !== null) return null
  throw refuse(
    source,
    `${tensor.name} is ${name}, which is not read; read are ${KNOWN_TYPES.join(', ')}. Use another quantization of the model, for instance Q4_K_M or Q8_0.`,
  )
}

/** The form in which matrices that go together lose nothing; those of plain numbers keep to themselves. */
export function widest(forms: readonly Form[]): Form {
  const packed = forms.filter((form) => form !== null)
  if (packed.length === 0) return null
  return {
    bits: packed.some(({ bits }) => bits === 8) ? 8 : 4,
    scale: packed.some(({ scale }) => scale === 'F32') ? 'F32' : 'F16',
  }
}

/** What is written of a matrix. */
export function matrixItem(source: GgufSource, matrix: MatrixOutput, form: Form): ShardItem {
  const { tensor, path, rows } = matrix
  const columns = tensor.shape.at(-1) ?? 0
  const bytes = rows * rowBytes(tensor)
  const name = `${path}.weight`
  const plain = plainType(tensor.type.name)
  if (form === null || plain !== null) {
    const heads = [{ name, dtype: plain ?? 'F32', shape: [rows, columns] }]
    return {
      heads,
      bytes,
      write: async (put) => {
        for await (const piece of readRows(source, matrix)) await put(name, piece, piece.length)
      },
    }
  }
  const groups = [rows, columns / GROUP]
  return {
    bytes,
    heads: [
      { name, dtype: 'U32', shape: [rows, (columns * form.bits) / 32] },
      { name: `${path}.scales`, dtype: form.scale, shape: groups },
      { name: `${path}.biases`, dtype: form.scale, shape: groups },
    ],
    write: (put) => writePacked(source, matrix, form, put),
  }
}

async function writePacked(
  source: GgufSource,
  matrix: MatrixOutput,
  form: NonNullable<Form>,
  put: WriteTensor,
): Promise<void> {
  const { tensor, path } = matrix
  for await (const piece of readRows(source, matrix)) {
    const groups = unpackRows(tensor.type, piece)
    checkFinite(source, tensor, groups)
    const scales = packFloats(path, groups.scales, form.scale)
    const biases = packFloats(path, groups.biases, form.scale)
    await put(`${path}.weight`, packCodes(groups.codes, form.bits), piece.length)
    await put(`${path}.scales`, scales, 0)
    await put(`${path}.biases`, biases, 0)
  }
}

function checkFinite(
  source: GgufSource,
  { name, type }: { name: string; type: GgufType },
  { scales, biases }: Groups,
): void {
  const isNumber = (value: number) => Number.isFinite(value)
  if (scales.every(isNumber) && biases.every(isNumber)) return
  throw refuse(
    source,
    `${name} (${type.name}) has a block whose scale is no number. The file is damaged: fetch it again.`,
  )
}

/** MLX has the first code of a word in its lowest bits. */
function packCodes(codes: Uint8Array, bits: 4 | 8): Uint8Array {
  if (bits === 8) return codes
  const out = new Uint8Array(codes.length / 2)
  for (let i = 0; i < out.length; i++) out[i] = codes[2 * i]! | (codes[2 * i + 1]! << 4)
  return out
}

/** @throws WideScales where F16 would round */
function packFloats(path: string, values: Float32Array, scale: 'F16' | 'F32'): Uint8Array {
  const bits = new Uint32Array(values.buffer)
  if (scale === 'F32') return new Uint8Array(values.buffer)
  const out = new Uint16Array(values.length)
  for (let i = 0; i < out.length; i++) {
    const half = exactF16(bits[i]!)
    if (half === null) throw new WideScales(path)
    out[i] = half
  }
  return new Uint8Array(out.buffer)
}

/** For errors of an import that was cancelled. */
export const cancelled = (): EngineError => new EngineError('aborted', 'The import was cancelled.')
