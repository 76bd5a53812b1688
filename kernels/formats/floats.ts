/** Plain floats: f32, f16, bf16, as the checkpoint holds them. */
import { BLOCK, BLOCK_ROWS, type Format, loadUnit, type SourceRows } from './format.ts'
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from './half.ts'
import { deinterleaveRows, interleaveRows } from './interleave.ts'

interface FloatKind {
  readonly wgsl: URL
  readonly bytes: 2 | 4
  read(bytes: DataView, at: number): number
  write(bytes: DataView, at: number, value: number): void
}

const KINDS = {
  f32: {
    wgsl: new URL('./f32.wgsl', import.meta.url),
    bytes: 4,
    read: (bytes, at) => bytes.getFloat32(at, true),
    write: (bytes, at, value) => bytes.setFloat32(at, value, true),
  },
  f16: {
    wgsl: new URL('./f16.wgsl', import.meta.url),
    bytes: 2,
    read: (bytes, at) => f16ToF32(bytes.getUint16(at, true)),
    write: (bytes, at, value) => bytes.setUint16(at, f32ToF16(value), true),
  },
  bf16: {
    wgsl: new URL('./bf16.wgsl', import.meta.url),
    bytes: 2,
    read: (bytes, at) => bf16ToF32(bytes.getUint16(at, true)),
    write: (bytes, at, value) => bytes.setUint16(at, f32ToBf16(value), true),
  },
} as const satisfies Record<string, FloatKind>

const HALVES = { wgsl: new URL('./run-halves.wgsl', import.meta.url) }
const PLAIN = { wgsl: new URL('./plain.wgsl', import.meta.url) }

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

export type FloatName = keyof typeof KINDS

export function floatFormat(id: FloatName): Format {
  const kind: FloatKind = KINDS[id]
  const units = (BLOCK * kind.bytes) / 4
  const wordsOf = (columns: number): number => Math.ceil(columns / BLOCK) * units
  return {
    id,
    fragments: [loadUnit, ...(kind.bytes === 2 ? [HALVES] : []), { wgsl: kind.wgsl }, PLAIN],
    consts: { UNITS: units },
    wordsPerRowBlock: (columns) => ({ words: wordsOf(columns) * BLOCK_ROWS, scales: 0 }),
    rowBytes: (columns) => ({ weight: columns * kind.bytes, scales: 0, biases: 0 }),
    pack(rows, order, columns, into, block) {
      interleaveRows(rows.weight, columns * kind.bytes, order, wordsOf(columns), into.words, block)
    },
    unpack: ({ words }, count, columns, block) => ({
      weight: deinterleaveRows(words, columns * kind.bytes, count, wordsOf(columns), block),
    }),
    decode(rows, count, columns) {
      const view = viewOf(rows.weight)
      return Float32Array.from({ length: count * columns }, (_, i) =>
        kind.read(view, i * kind.bytes),
      )
    },
    encode(values, count, columns): SourceRows {
      const weight = new Uint8Array(count * columns * kind.bytes)
      const view = viewOf(weight)
      values.forEach((value, i) => {
        kind.write(view, i * kind.bytes, value)
      })
      return { weight }
    },
  }
}
