/** What a product is held against: activations of a test, and dot products in float64. */
import { type Random, roundUp } from '../kernel.ts'
import { int8RowWords, packInt8Row, unpackInt8Row } from './int8-rows.ts'
import { factorAt, squaresAt } from './left-rows.ts'
import { type MatmulShape, paddedColumns, ROW_TILE, rowFloats } from './matmul.ts'

/** Random activations, zero in the padding; scaled so that products are about 1 for any number of columns. */
export function matmulInputs(
  shape: MatmulShape,
  random: Random,
): { x: Float32Array | Uint32Array } {
  const { columns, batch, eps, x: type = 'f32' } = shape
  const isInt8 = type === 'int8'
  const stride = isInt8 ? int8RowWords(columns) : rowFloats(shape)
  // Tiles may read rows past the batch: the buffer goes on to the end of the tile.
  const words = new Uint32Array(roundUp(batch, ROW_TILE) * stride)
  const floats = new Float32Array(words.buffer)
  for (let m = 0; m < batch; m++) {
    const row = random.floats(columns, 3 / Math.sqrt(columns))
    if (isInt8) packInt8Row(row, columns, words, m * stride)
    else floats.set(row, m * stride)
    if (eps === undefined) continue
    for (let b = 0; b * 32 < columns; b++)
      floats[squaresAt(type, columns, m, b)] = 16 + random.f32(8)
    floats[factorAt(type, columns, m)] = 1 + random.f32(0.5)
  }
  return { x: isInt8 ? words : floats }
}

/** The activations of a test as floats, normed where a norm is left over, whatever they were given as. */
export function activationsOf(shape: MatmulShape, x: Float32Array | Uint32Array): Float32Array {
  const { columns, batch } = shape
  const stride = paddedColumns(columns)
  const floats = new Float32Array(batch * stride)
  for (let m = 0; m < batch; m++) {
    const row =
      x instanceof Uint32Array
        ? unpackInt8Row(x, m * int8RowWords(columns), columns)
        : x.slice(m * rowFloats(shape), m * rowFloats(shape) + columns)
    const factor = factorOf(shape, new Float32Array(x.buffer, x.byteOffset, x.length), m)
    const normed = row.map((value) => value * factor)
    floats.set(normed, m * stride)
  }
  return floats
}

/** What is left of the norm of row `m`: of a row alone to be worked out, of several as a norm left it. */
function factorOf(shape: MatmulShape, x: Float32Array, m: number): number {
  const { columns, batch, eps, x: type = 'f32' } = shape
  if (eps === undefined) return 1
  if (batch > 1) return x[factorAt(type, columns, m)]!
  let sum = 0
  for (let b = 0; b * 32 < columns; b++) sum += x[squaresAt(type, columns, m, b)]!
  return 1 / Math.sqrt(sum / columns + eps)
}

/** dot(weight[n], x[m]) in float64. */
export function product(
  shape: MatmulShape,
  x: Float32Array,
  weight: Float32Array,
  m: number,
  n: number,
): number {
  const { columns } = shape
  const stride = paddedColumns(columns)
  let sum = 0
  for (let k = 0; k < columns; k++) sum += weight[n * columns + k]! * x[m * stride + k]!
  return sum
}
