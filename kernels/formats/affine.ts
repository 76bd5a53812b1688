/**
 * MLX-style affine weights: 4 or 8 bits, w = scale * q + bias per group of 32, 64 or 128 columns
 * (mlx.core.quantize). `scales` and `biases` stay in the float type of the checkpoint.
 */
import { BLOCK, type Format, loadUnit, PAIRS, type SourceRows } from './format.ts'
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from './half.ts'
import { interleaveRows } from './interleave.ts'

export interface AffineOptions {
  readonly bits: 4 | 8
  readonly group: 32 | 64 | 128
  readonly scale: 'f16' | 'bf16' | 'f32'
}

const WORDS = {
  4: new URL('./affine4.wgsl', import.meta.url),
  8: new URL('./affine8.wgsl', import.meta.url),
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
  const copy = bytes.slice().buffer
  return width === 2 ? new Uint16Array(copy) : new Uint32Array(copy)
}

/** The sizes of one affine format. */
class Layout {
  readonly bits: 4 | 8
  readonly group: number
  readonly kind: (typeof SCALES)[keyof typeof SCALES]
  /** Runs of four words a block. */
  readonly unitsPerBlock: number

  constructor({ bits, group, scale }: AffineOptions) {
    this.bits = bits
    this.group = group
    this.kind = SCALES[scale]
    this.unitsPerBlock = (BLOCK * bits) / 128
  }

  groups(columns: number): number {
    return Math.ceil(columns / this.group)
  }

  blocks(columns: number): number {
    return (this.groups(columns) * this.group) / BLOCK
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
    fragments: [{ wgsl }, loadUnit, { wgsl: WORDS[bits] }, AFFINE],
    consts: { UNITS: layout.unitsPerBlock, GROUP: group },
    wordsPerPairBlock: (columns) => ({
      words: layout.blocks(columns) * layout.unitsPerBlock * 4 * 2 * PAIRS,
      scales: layout.groups(columns) * 2 * PAIRS * (bytes / 2),
    }),
    rowBytes: (columns) => ({
      weight: layout.weightBytes(columns),
      scales: layout.groups(columns) * bytes,
      biases: layout.groups(columns) * bytes,
    }),
    pack(rows, count, columns, into, pairBlock) {
      const shape = { blocks: layout.blocks(columns), unitsPerBlock: layout.unitsPerBlock }
      const weightBytes = layout.weightBytes(columns)
      interleaveRows(rows.weight, weightBytes, count, shape, into.words, pairBlock)
      packScales(layout, rows, count, layout.groups(columns), into.scales, pairBlock)
    },
    decode: (rows, count, columns) => decode(layout, rows, count, columns),
    encode: (values, count, columns) => encode(layout, values, count, columns),
  }
}

/** Scale and bias of a group side by side, pairs of rows as the words lie. */
function packScales(
  { kind }: Layout,
  rows: SourceRows,
  count: number,
  groups: number,
  into: Uint32Array,
  pairBlock: number,
): void {
  const scales = bitsOf(rows.scales!, kind.bytes)
  const biases = bitsOf(rows.biases!, kind.bytes)
  for (let row = 0; row < count; row++) {
    for (let g = 0; g < groups; g++) {
      const at = ((pairBlock * groups + g) * 2 + (row & 1)) * PAIRS + (row >>> 1)
      const [s, b] = [scales[row * groups + g]!, biases[row * groups + g]!]
      if (kind.bytes === 2) into[at] = (s | (b << 16)) >>> 0
      else into.set([s, b], at * 2)
    }
  }
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
