/** Lays rows out so that neighbouring invocations read neighbouring words, and back; see `format.ts` for the layout. */
import { BLOCK_ROWS } from './format.ts'

/**
 * Copies `count` rows (at most 32) of `rowBytes` bytes each into row block `block` of `into`: word w of row r goes to
 * (block × words + w) × 32 + r.
 * @param words u32 words of a row, padded
 */
export function interleaveRows(
  source: Uint8Array,
  rowBytes: number,
  count: number,
  words: number,
  into: Uint32Array,
  block: number,
): void {
  const padded = new Uint32Array(words)
  const paddedBytes = new Uint8Array(padded.buffer)
  const isDirect = rowBytes === words * 4 && source.byteOffset % 4 === 0
  const base = block * words * BLOCK_ROWS
  for (let row = 0; row < count; row++) {
    let own: Uint32Array = padded
    if (isDirect) own = new Uint32Array(source.buffer, source.byteOffset + row * rowBytes, words)
    else paddedBytes.set(source.subarray(row * rowBytes, (row + 1) * rowBytes))
    for (let word = 0, at = base + row; word < words; word++, at += BLOCK_ROWS)
      into[at] = own[word]!
  }
}

/** Takes `count` rows of `rowBytes` bytes each out of row block `block`: what `interleaveRows` put there. */
export function deinterleaveRows(
  packed: Uint32Array,
  rowBytes: number,
  count: number,
  words: number,
  block: number,
): Uint8Array {
  const rows = new Uint8Array(rowBytes * count)
  const own = new Uint32Array(words)
  const bytes = new Uint8Array(own.buffer, 0, rowBytes)
  const base = block * words * BLOCK_ROWS
  for (let row = 0; row < count; row++) {
    for (let word = 0, at = base + row; word < words; word++, at += BLOCK_ROWS)
      own[word] = packed[at]!
    rows.set(bytes, row * rowBytes)
  }
  return rows
}
