/** Packing writes every word of a row block as `format.ts` lays it out, for rows in any order, whatever was there before. */
import { expect, it } from 'vitest'
import { Random } from '../kernel.ts'
import { BLOCK_ROWS, type SourceRows } from './format.ts'
import { formatOf } from './index.ts'

const GARBAGE = 0xdeadbeef

/** The n-th word of a row, zero beyond it. */
const wordOf = (rows: Uint8Array, rowBytes: number, row: number | undefined, n: number): number => {
  const byte = (i: number): number =>
    row === undefined || n * 4 + i >= rowBytes ? 0 : (rows[row * rowBytes + n * 4 + i] ?? 0)
  return (byte(0) | (byte(1) << 8) | (byte(2) << 16) | (byte(3) << 24)) >>> 0
}

const CASES = [
  ['bf16', 64],
  ['bf16', 33], // rows that are no whole words
  ['f16', 70],
  ['f32', 40],
  ['f32', 300],
  ['affine8/32/f16', 96],
  ['affine8/64/f32', 64],
  ['affine4/32/bf16', 608],
  ['affine4/64/f32', 128],
] as const

const ORDERS = [
  Array.from({ length: 32 }, (_, i) => i),
  Array.from({ length: 32 }, (_, i) => (i & 1) * 20 + (i >> 1)),
  [3, 1, 36], // an odd number
  [9, 2, 30, 4, 11, 0, 7],
]

it.each(CASES)('%s of %i columns', (id, columns) => {
  const format = formatOf(id)
  const bytes = format.rowBytes(columns)
  const random = new Random(7)
  const bytesOf = (width: number): Uint8Array =>
    new Uint8Array(width * 40).map(() => random.below(256))
  const rows: Required<SourceRows> = {
    weight: bytesOf(bytes.weight),
    scales: bytesOf(bytes.scales),
    biases: bytesOf(bytes.biases),
  }
  const per = format.wordsPerRowBlock(columns)
  for (const order of ORDERS) {
    const packed = {
      words: new Uint32Array(per.words * 2).fill(GARBAGE),
      scales: new Uint32Array(per.scales * 2).fill(GARBAGE),
    }
    format.pack(rows, Uint32Array.from(order), columns, packed, 1)
    expect(packed.words.subarray(0, per.words).every((word) => word === GARBAGE)).toBe(true)
    const wanted = Uint32Array.from({ length: per.words }, (_, at) => {
      const [n, r] = [Math.floor(at / BLOCK_ROWS), at % BLOCK_ROWS]
      const word = (i: number): number => wordOf(rows.weight, bytes.weight, order[i], n)
      if (!id.startsWith('affine4')) return word(r)
      const [even, odd] = [word(r & ~1), word(r | 1)]
      return r & 1 ? (even >>> 16) | (odd & 0xffff0000) : (even & 0xffff) | (odd << 16)
    })
    expect(packed.words.subarray(per.words)).toEqual(wanted)
    const scales = scalesOf(rows, bytes, order, per.scales, id.endsWith('f32'))
    expect(packed.scales.subarray(per.scales)).toEqual(scales)
  }
})

/** A pair of halves a word, or 32 rows' scales before their biases. */
function scalesOf(
  rows: Required<SourceRows>,
  bytes: { scales: number; biases: number },
  order: readonly number[],
  length: number,
  isWide: boolean,
): Uint32Array {
  return Uint32Array.from({ length }, (_, at) => {
    const [n, r] = [Math.floor(at / BLOCK_ROWS), at % BLOCK_ROWS]
    const row = order[r]
    if (isWide) return wordOf(n & 1 ? rows.biases : rows.scales, bytes.scales, row, n >> 1)
    const half = (data: Uint8Array): number =>
      (wordOf(data, bytes.scales, row, n >> 1) >>> ((n & 1) * 16)) & 0xffff
    return (half(rows.scales) | (half(rows.biases) << 16)) >>> 0
  })
}
