/** Matrices of numbers of 8 bits, stored as they are, with scales for blocks of rows and columns: FP8 and plain INT8. */
import { show } from '../json.ts'
import type { TensorInfo } from '../safetensors.ts'
import {
  bytesOf,
  expectTensor,
  FLOATS,
  floatsOf,
  type PackedModule,
  type PackedSource,
  runsOf,
} from './form.ts'

/** Values of E4M3 without infinities (Micikevicius et al. 2022): bias 7, and all ones is no number. */
const E4M3 = Float32Array.from({ length: 256 }, (_, byte) => {
  const [exponent, fraction] = [(byte >>> 3) & 15, byte & 7]
  if (exponent === 15 && fraction === 7) return Number.NaN
  const size = exponent === 0 ? (fraction / 8) * 2 ** -6 : (1 + fraction / 8) * 2 ** (exponent - 7)
  return byte & 128 ? -size : size
})

/** Rows and columns that share a scale. */
type Block = readonly [rows: number, columns: number]

/**
 * @param scaleName of a tensor of one scale for each block, [ceil(rows / r), ceil(columns / c)]
 * @param blocks sizes that the settings state, or null: scales for all, for each row, or for even runs along it
 */
export function scaledModule(
  source: PackedSource,
  path: string,
  scaleName: string,
  blocks: Block | null,
): PackedModule {
  const weight = `${path}.weight`
  const { dtype, shape } = expectTensor(source, weight, ['F8_E4M3', 'I8'])
  const [rows = 0, columns = 0] = shape
  const scales = expectTensor(source, scaleName, FLOATS, blocks ? partsOf(shape, blocks) : 'any')
  const [high, wide] = blocks ?? blockOf(source, scales, shape)
  const across = Math.ceil(columns / wide)
  return {
    ...{ path, rows, columns },
    groups: runsOf(columns, wide),
    runs: dtype === 'I8' && high <= 1 ? { bits: 8, size: wide } : null,
    spare: null,
    tensors: [weight, scales.name],
    open(data) {
      const factors = floatsOf(data, scales)
      const bytes = bytesOf(data, weight)
      // Two's complement with the sign turned around is the number plus 128.
      const codeOf =
        dtype === 'I8' ? (byte: number) => byte ^ 128 : (byte: number) => E4M3[byte] as number
      return {
        codes(row, into) {
          for (let k = 0; k < columns; k++) into[k] = codeOf(bytes[row * columns + k] as number)
        },
        scale: (row, group) => factors[Math.floor(row / high) * across + group] as number,
        zero: () => (dtype === 'I8' ? 128 : 0),
      }
    },
  }
}

const partsOf = (shape: readonly number[], block: Block): number[] =>
  block.map((size, i) => Math.ceil((shape[i] ?? 0) / size))

/** The block that a tensor of scales comes to where nothing states it: all, a row, or a part of a row. */
function blockOf(
  { fault }: PackedSource,
  { name, shape }: TensorInfo,
  [rows = 0, columns = 0]: readonly number[],
): Block {
  if (shape.every((size) => size === 1)) return [rows, columns]
  const [down = 0, across = 1] = shape
  if (shape.length <= 2 && down === rows && across > 0 && columns % across === 0) {
    return [1, columns / across]
  }
  throw fault(
    name,
    `has shape ${show(shape)}, expected one scale, or one or more for each of ${rows} rows`,
  )
}
