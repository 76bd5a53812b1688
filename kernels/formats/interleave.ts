/** Lays rows out so that neighbouring invocations read neighbouring words, and back; see `format.ts` for the layout. */
import { BLOCK_ROWS } from './format.ts'

/** Words of a row that are moved at a time: what is written stays near. */
const TILE = 256
/** Rows that are moved side by side: what is written is a quarter of a cache line. */
const QUAD = 4

interface Words {
  readonly data: Uint32Array
  /** Of a row. */
  readonly count: number
  /** Word of `data` at which each row starts. */
  readonly starts: Uint32Array
}

/**
 * Moves rows (at most 32) of `rowBytes` bytes each into row block `block` of `into`: word w of the r-th goes to
 * (block × words + w) × 32 + r. All else of the row block becomes zero.
 * @param order which rows of `source`
 * @param words u32 words of a row, padded
 */
export function interleaveRows(
  source: Uint8Array,
  rowBytes: number,
  order: Uint32Array,
  words: number,
  into: Uint32Array,
  block: number,
): void {
  const base = block * words * BLOCK_ROWS
  const { data, count, starts } = wordsOf(source, rowBytes, order)
  clearPadding(into, base, words, order.length, count)
  const whole = starts.length - (starts.length % QUAD)
  for (let first = 0; first < count; first += TILE) {
    const most = Math.min(TILE, count - first)
    for (let row = 0; row < whole; row += QUAD) {
      let a = starts[row]! + first
      let b = starts[row + 1]! + first
      let c = starts[row + 2]! + first
      let d = starts[row + 3]! + first
      const end = a + most
      for (let at = base + first * BLOCK_ROWS + row; a < end; at += BLOCK_ROWS) {
        into[at] = data[a++]!
        into[at + 1] = data[b++]!
        into[at + 2] = data[c++]!
        into[at + 3] = data[d++]!
      }
    }
    for (let row = whole; row < starts.length; row++) {
      let from = starts[row]! + first
      const end = from + most
      for (let at = base + first * BLOCK_ROWS + row; from < end; at += BLOCK_ROWS)
        into[at] = data[from++]!
    }
  }
}

/**
 * The same, and of two neighbouring rows the first word takes both lower halves, the second both upper ones, so that a
 * word holds the same columns of both.
 */
export function interleavePairs(
  source: Uint8Array,
  rowBytes: number,
  order: Uint32Array,
  words: number,
  into: Uint32Array,
  block: number,
): void {
  const base = block * words * BLOCK_ROWS
  const { data, count, starts } = wordsOf(source, rowBytes, order)
  clearPadding(into, base, words, order.length, count)
  const whole = starts.length - (starts.length % QUAD)
  for (let first = 0; first < count; first += TILE) {
    const most = Math.min(TILE, count - first)
    for (let row = 0; row < whole; row += QUAD) {
      let a = starts[row]! + first
      let b = starts[row + 1]! + first
      let c = starts[row + 2]! + first
      let d = starts[row + 3]! + first
      const end = a + most
      for (let at = base + first * BLOCK_ROWS + row; a < end; at += BLOCK_ROWS) {
        const even = data[a++]!
        const odd = data[b++]!
        const next = data[c++]!
        const last = data[d++]!
        into[at] = (even & 0xffff) | (odd << 16)
        into[at + 1] = (even >>> 16) | (odd & 0xffff0000)
        into[at + 2] = (next & 0xffff) | (last << 16)
        into[at + 3] = (next >>> 16) | (last & 0xffff0000)
      }
    }
    for (let row = whole; row < starts.length; row += 2) {
      const isPair = row + 1 < starts.length
      let from = starts[row]! + first
      let other = isPair ? starts[row + 1]! + first : 0
      const end = from + most
      for (let at = base + first * BLOCK_ROWS + row; from < end; at += BLOCK_ROWS) {
        const even = data[from++]!
        const odd = isPair ? data[other++]! : 0
        into[at] = (even & 0xffff) | (odd << 16)
        into[at + 1] = (even >>> 16) | (odd & 0xffff0000)
      }
    }
  }
}

/** Rows as words, in place where they are whole words, else copied. */
function wordsOf(source: Uint8Array, rowBytes: number, order: Uint32Array): Words {
  if (rowBytes % 4 === 0 && source.byteOffset % 4 === 0) {
    const count = rowBytes / 4
    const data = new Uint32Array(source.buffer, source.byteOffset, source.byteLength >>> 2)
    return { data, count, starts: order.map((row) => row * count) }
  }
  const count = Math.ceil(rowBytes / 4)
  const data = new Uint32Array(count * order.length)
  const bytes = new Uint8Array(data.buffer)
  for (const [i, row] of order.entries()) {
    bytes.set(source.subarray(row * rowBytes, (row + 1) * rowBytes), i * count * 4)
  }
  return { data, count, starts: order.map((_, i) => i * count) }
}

function clearPadding(
  into: Uint32Array,
  base: number,
  words: number,
  rows: number,
  own: number,
): void {
  if (rows < BLOCK_ROWS) into.fill(0, base, base + words * BLOCK_ROWS)
  else if (own < words) into.fill(0, base + own * BLOCK_ROWS, base + words * BLOCK_ROWS)
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
