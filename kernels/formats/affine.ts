/**
 * MLX-style affine weights: 4 or 8 bits, w = scale * q + bias per group of 32, 64 or 128 columns
 * (mlx.core.quantize). `scales` and `biases` stay in the float type of the checkpoint.
 */
import type { Fragment } from '../kernel.ts'
import { BLOCK, BLOCK_ROWS, type Format, loadUnit, type SourceRows } from './format.ts'
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from './half.ts'
import { deinterleaveRows, interleavePairs, interleaveRows } from './interleave.ts'

export interface AffineOptions {
  readonly bits: 4 | 8
  readonly group: 32 | 64 | 128
  readonly scale: 'f16' | 'bf16' | 'f32'
}

const WORDS = {
  4: new URL('./affine4.wgsl', import.meta.url),
  8: new URL('./affine8.wgsl', import.meta.url),
}

/** Writes a matrix with f16 scales, for a kernel that makes one; needs `BITS`, `UNITS` and `GROUP`. */
export const storeAffine: Fragment = { wgsl: new URL('./store-affine.wgsl', import.meta.url) }

const INTEGERS = {
  4: { wgsl: new URL('./affine4-integers.wgsl', import.meta.url) },
  8: { wgsl: new URL('./affine8-integers.wgsl', import.meta.url) },
}

const AFFINE = { wgsl: new URL('./affine.wgsl', import.meta.url) }

const SCALES = {
  f16: {
    wgsl: new URL('./scale-f16.wgsl', import.meta.url),
    bytes: 2,
    read: f16ToF32,
    write: f32ToF16,
  },
  bf16: {
    wgsl: new URL('./scale-bf16.wgsl', import.meta.url),
    bytes: 2,
    read: bf16ToF32,
    write: f32ToBf16,
  },
  f32: {
    wgsl: new URL('./scale-f32.wgsl', import.meta.url),
    bytes: 4,
    read: bitsToF32,
    write: f32ToBits,
  },
} as const

const f32 = new Float32Array(1)
const u32 = new Uint32Array(f32.buffer)

function bitsToF32(bits: number): number {
  u32[0] = bits
  return f32[0]!
}

function f32ToBits(value: number): number {
  f32[0] = value
  return u32[0]!
}

/** The bits of the floats of a `scales` or `biases` tensor. */
function bitsOf(bytes: Uint8Array, width: 2 | 4): Uint16Array | Uint32Array {
  const own = bytes.byteOffset % width === 0 ? bytes : bytes.slice()
  return new (width === 2 ? Uint16Array : Uint32Array)(
    own.buffer as ArrayBuffer,
    own.byteOffset,
    own.byteLength / width,
  )
}

/** The sizes of one affine format. */
class Layout {
  readonly bits: 4 | 8
  readonly group: number
  readonly kind: (typeof SCALES)[keyof typeof SCALES]
  /** Words that a block of a row takes. */
  readonly units: number

  constructor({ bits, group, scale }: AffineOptions) {
    this.bits = bits
    this.group = group
    this.kind = SCALES[scale]
    this.units = (BLOCK * bits) / 32
  }

  groups(columns: number): number {
    return Math.ceil(columns / this.group)
  }

  words(columns: number): number {
    return ((this.groups(columns) * this.group) / BLOCK) * this.units
  }

  weightBytes(columns: number): number {
    return (columns * this.bits) / 8
  }
}

export function affineFormat(options: AffineOptions): Format {
  const { bits, group, scale } = options
  const layout = new Layout(options)
  const { bytes, wgsl } = layout.kind
  return {
    id: `affine${bits}/${group}/${scale}`,
    fragments: [loadUnit, { wgsl: WORDS[bits] }, { wgsl }, AFFINE],
    integers: INTEGERS[bits],
    consts: { UNITS: layout.units, GROUP: group },
    wordsPerRowBlock: (columns) => ({
      words: layout.words(columns) * BLOCK_ROWS,
      scales: layout.groups(columns) * BLOCK_ROWS * (bytes / 2),
    }),
    rowBytes: (columns) => ({
      weight: layout.weightBytes(columns),
      scales: layout.groups(columns) * bytes,
      biases: layout.groups(columns) * bytes,
    }),
    pack(rows, order, columns, into, block) {
      const interleave = bits === 4 ? interleavePairs : interleaveRows
      const [own, padded] = [layout.weightBytes(columns), layout.words(columns)]
      interleave(rows.weight, own, order, padded, into.words, block)
      packScales(layout, rows, order, layout.groups(columns), into.scales, block)
    },
    unpack(packed, count, columns, block) {
      const words = layout.words(columns)
      const base = block * words * BLOCK_ROWS
      const own = packed.words.slice(base, base + words * BLOCK_ROWS)
      // Swapping twice is as before.
      if (bits === 4) swapHalves(own)
      const weight = deinterleaveRows(own, layout.weightBytes(columns), count, words, 0)
      return {
        weight,
        ...unpackScales(layout, packed.scales, count, layout.groups(columns), block),
      }
    },
    decode: (rows, count, columns) => decode(layout, rows, count, columns),
    encode: (values, count, columns) => encode(layout, values, count, columns),
  }
}

/** Scale and bias of a group in a word, 32 rows side by side; in f32 first the scales of 32 rows, then their biases. */
function packScales(
  { kind }: Layout,
  rows: SourceRows,
  order: Uint32Array,
  groups: number,
  into: Uint32Array,
  block: number,
): void {
  const scales = bitsOf(rows.scales!, kind.bytes)
  const biases = bitsOf(rows.biases!, kind.bytes)
  const size = groups * BLOCK_ROWS * (kind.bytes / 2)
  if (order.length < BLOCK_ROWS) into.fill(0, block * size, (block + 1) * size)
  for (let row = 0; row < order.length; row++) {
    const first = order[row]! * groups
    let at = block * size + row
    for (let from = first; from < first + groups; from++) {
      if (kind.bytes === 2) into[at] = scales[from]! | (biases[from]! << 16)
      else {
        into[at] = scales[from]!
        into[at + BLOCK_ROWS] = biases[from]!
      }
      at += BLOCK_ROWS * (kind.bytes / 2)
    }
  }
}

/** Of two neighbouring rows: the first word takes both lower halves, the second both upper ones, so that a word holds the same columns of both. */
function swapHalves(words: Uint32Array): void {
  for (let at = 0; at < words.length; at += 2) {
    const [even, odd] = [words[at]!, words[at + 1]!]
    words[at] = ((even & 0xffff) | (odd << 16)) >>> 0
    words[at + 1] = ((even >>> 16) | (odd & 0xffff0000)) >>> 0
  }
}

function unpackScales(
  { kind }: Layout,
  packed: Uint32Array,
  count: number,
  groups: number,
  block: number,
): { scales: Uint8Array; biases: Uint8Array } {
  const floats = (): Uint16Array | Uint32Array =>
    new (kind.bytes === 2 ? Uint16Array : Uint32Array)(count * groups)
  const [scales, biases] = [floats(), floats()]
  for (let i = 0; i < count * groups; i++) {
    const [row, g] = [Math.floor(i / groups), i % groups]
    const at = (block * groups + g) * BLOCK_ROWS
    scales[i] = kind.bytes === 2 ? packed[at + row]! & 0xffff : packed[at * 2 + row]!
    biases[i] = kind.bytes === 2 ? packed[at + row]! >>> 16 : packed[at * 2 + BLOCK_ROWS + row]!
  }
  return { scales: new Uint8Array(scales.buffer), biases: new Uint8Array(biases.buffer) }
}

function decode(layout: Layout, rows: SourceRows, count: number, columns: number): Float32Array {
  const { bits, group, kind } = layout
  const groups = layout.groups(columns)
  const scales = bitsOf(rows.scales!, kind.bytes)
  const biases = bitsOf(rows.biases!, kind.bytes)
  return Float32Array.from({ length: count * columns }, (_, i) => {
    const g = Math.floor(i / columns) * groups + Math.floor((i % columns) / group)
    const byte = rows.weight[Math.floor((i * bits) / 8)]!
    const q = bits === 8 ? byte : (byte >>> ((i & 1) * 4)) & 15
    return kind.read(scales[g]!) * q + kind.read(biases[g]!)
  })
}

function encode(layout: Layout, values: Float32Array, count: number, columns: number): SourceRows {
  const { bits, group, kind } = layout
  const levels = 2 ** bits
  const groups = layout.groups(columns)
  const weight = new Uint8Array(count * layout.weightBytes(columns))
  const scales = new (kind.bytes === 2 ? Uint16Array : Uint32Array)(count * groups)
  const biases = new (kind.bytes === 2 ? Uint16Array : Uint32Array)(count * groups)
  for (let g = 0; g < count * groups; g++) {
    const row = Math.floor(g / groups)
    const start = row * columns + (g % groups) * group
    const part = values.subarray(start, Math.min(start + group, (row + 1) * columns))
    const low = Math.min(...part)
    scales[g] = kind.write((Math.max(...part) - low) / (levels - 1))
    biases[g] = kind.write(low)
    const step = kind.read(scales[g]!) || 1
    const from = kind.read(biases[g]!)
    part.forEach((value, i) => {
      const q = Math.min(levels - 1, Math.max(0, Math.round((value - from) / step)))
      const at = ((start + i) * bits) / 8
      weight[Math.floor(at)]! |= bits === 8 ? q : q << ((at % 1) * 8)
    })
  }
  return {
    weight,
    scales: new Uint8Array(scales.buffer),
    biases: new Uint8Array(biases.buffer),
  }
}
