/** Lays rows out so that neighbouring invocations read neighbouring words; see `format.ts` for the layout. */
import { PAIRS } from './format.ts'

const WORDS = 4 // a vec4<u32>

/**
 * Copies `count` rows (at most 64) of `rowBytes` bytes each into pair block `pairBlock` of `into`.
 * `blocks`: blocks of 32 columns a row, padded; `unitsPerBlock`: vec4<u32> that a block of a row takes.
 */
export function interleaveRows(
  source: Uint8Array,
  rowBytes: number,
  count: number,
  shape: { blocks: number; unitsPerBlock: number },
  into: Uint32Array,
  pairBlock: number,
): void {
  const { blocks, unitsPerBlock } = shape
  const units = blocks * unitsPerBlock
  const padded = new Uint32Array(units * WORDS)
  const paddedBytes = new Uint8Array(padded.buffer)
  const direct = rowBytes === units * 16 && source.byteOffset % 4 === 0
  const base = pairBlock * units * WORDS * 2 * PAIRS
  for (let row = 0; row < count; row++) {
    let words: Uint32Array = padded
    if (direct) {
      words = new Uint32Array(source.buffer, source.byteOffset + row * rowBytes, units * WORDS)
    } else {
      paddedBytes.set(source.subarray(row * rowBytes, (row + 1) * rowBytes))
    }
    const pair = row >>> 1
    const side = row & 1
    for (let unit = 0; unit < units; unit++) {
      const block = Math.floor(unit / unitsPerBlock)
      const inBlock = unit - block * unitsPerBlock
      const vector = ((block * 2 + side) * unitsPerBlock + inBlock) * PAIRS + pair
      const at = base + vector * WORDS
      const from = unit * WORDS
      into[at] = words[from]!
      into[at + 1] = words[from + 1]!
      into[at + 2] = words[from + 2]!
      into[at + 3] = words[from + 3]!
    }
  }
}
