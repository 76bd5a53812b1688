/**
 * Activations in eight bits: rows of blocks of 32 columns, each with a scale of its own, largest magnitude / 127 (as Q8_0
 * of ggml). A block is eight pairs of words: four columns as signed bytes, and beside them, with the first pair the scale,
 * with the second scale × sum of the block's integers, which is what an affine bias needs. Where an RMS norm is left over,
 * the block's sum of squares lies beside the third.
 */

/** u32 words of a row. */
export const int8RowWords = (columns: number): number => Math.ceil(columns / 32) * 16

/** Quantizes one row of `columns` values into `into` from word `at` on. */
export function packInt8Row(
  row: ArrayLike<number>,
  columns: number,
  into: Uint32Array,
  at: number,
): void {
  const floats = new Float32Array(into.buffer, into.byteOffset, into.length)
  const bytes = new Int8Array(into.buffer, into.byteOffset, into.byteLength)
  for (let block = 0; block * 32 < columns; block++) {
    const own = Array.from({ length: 32 }, (_, i) => row[block * 32 + i] ?? 0)
    const top = own.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    const start = at + block * 16
    let sum = 0
    for (const [i, value] of own.entries()) {
      const q = top === 0 ? 0 : roundEven((value * 127) / top)
      bytes[(start + (i >> 2) * 2) * 4 + (i & 3)] = q
      sum += q
    }
    floats[start + 1] = top / 127
    floats[start + 3] = Math.fround(top / 127) * sum
  }
}

/** To the nearest integer, halves to the even one, as WGSL's `round`. */
function roundEven(value: number): number {
  const near = Math.round(value)
  return Math.abs(value % 1) === 0.5 && near % 2 !== 0 ? near - 1 : near
}

/** What a row stands for. */
export function unpackInt8Row(words: Uint32Array, at: number, columns: number): Float32Array {
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length)
  const bytes = new Int8Array(words.buffer, words.byteOffset, words.byteLength)
  return Float32Array.from({ length: columns }, (_, i) => {
    const start = at + Math.floor(i / 32) * 16
    return bytes[(start + ((i % 32) >> 2) * 2) * 4 + (i & 3)]! * floats[start + 1]!
  })
}
