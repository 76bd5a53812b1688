/**
 * Rows of the residual as they are left for products that do the rest of an RMS norm: times the norm's weight, in f32 or in
 * eight bits, with the sum of squares of each block of 32 columns and a place for the norm's factor of the row. In f32
 * these lie behind the columns (leave-f32.wgsl), in eight bits beside them (leave-int8.wgsl).
 */
import { roundUp } from '../kernel.ts'
import { int8RowWords, packInt8Row } from './int8-rows.ts'

export type LeftType = 'f32' | 'int8'

/** Floats of a row in f32: its columns, four of which the factor has one, the sums, added by eights. */
export const leftRowFloats = (columns: number): number =>
  roundUp(columns, 32) + 4 + roundUp(Math.ceil(columns / 32), 8)

/** Words of a row. */
export const leftRowWords = (type: LeftType, columns: number): number =>
  type === 'int8' ? int8RowWords(columns) : leftRowFloats(columns)

/** Where the sum of squares of block `b` of row `m` lies. */
export const squaresAt = (type: LeftType, columns: number, m: number, b: number): number =>
  m * leftRowWords(type, columns) + (type === 'int8' ? b * 16 + 5 : roundUp(columns, 32) + 4 + b)

/** Where the norm's factor of row `m` lies. */
export const factorAt = (type: LeftType, columns: number, m: number): number =>
  m * leftRowWords(type, columns) + (type === 'int8' ? 7 : roundUp(columns, 32))

/** Leaves a row of the residual as row `m` of `next`, but for the factor, which is returned. */
export function leaveRow(
  row: Float32Array,
  { weight, columns, eps }: { weight: Float32Array; columns: number; eps: number },
  next: Float32Array | Uint32Array,
  m: number,
): number {
  const type = next instanceof Uint32Array ? 'int8' : 'f32'
  const start = m * leftRowWords(type, columns)
  const floats = new Float32Array(next.buffer, next.byteOffset, next.length)
  const left = row.map((value, i) => value * weight[i]!)
  if (next instanceof Uint32Array) packInt8Row(left, columns, next, start)
  else
    floats.fill(0, squaresAt(type, columns, m, 0), start + leftRowFloats(columns)).set(left, start)
  let sum = 0
  for (let b = 0; b * 32 < columns; b++) {
    const squares = row.slice(b * 32, b * 32 + 32).reduce((most, value) => most + value ** 2, 0)
    floats[squaresAt(type, columns, m, b)] = squares
    sum += squares
  }
  return 1 / Math.sqrt(sum / columns + eps)
}
