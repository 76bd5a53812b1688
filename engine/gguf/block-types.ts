/**
 * How ggml's types hold numbers. Most are affine in every run of 32 numbers, w = scale × code + bias, and are carried over
 * as they are: MLX's form, group 32. (Source of the layouts: ggml-common.h and ggml-quants.c of llama.cpp.)
 */
import { halfAt as half } from './float16.ts'
import { AFFINE_K_QUANTS, NON_LINEAR, ROUNDED_K_QUANTS } from './k-quants.ts'

/** Numbers that share a scale and a bias. */
export const GROUP = 32

/** Runs of 32: codes, a byte each, and each run's scale and bias. */
export interface Groups {
  readonly codes: Uint8Array
  readonly scales: Float32Array
  readonly biases: Float32Array
}

/** A type that is affine in runs of 32. */
export interface AffineType {
  /** Bits that its codes take. */
  readonly bits: 4 | 8
  /** What holds its scales without rounding, and its biases (F16: unless they are huge). */
  readonly scale: 'F16' | 'F32'
  /** Reads the block at byte `at` into the runs from `group` on. */
  unpack(source: Uint8Array, at: number, into: Groups, group: number): void
}

/** A type that is not: its numbers, of the block at byte `at`, into `values` from `first` on. */
export interface RoundedType {
  numbers(source: Uint8Array, at: number, values: Float32Array, first: number): void
}

export type PlainType = 'F32' | 'F16' | 'BF16'

/** Sixteen bytes of which each holds number i in its lower half and i + 16 in its upper one. */
function nibbles(source: Uint8Array, at: number, codes: Uint8Array, to: number): void {
  for (let i = 0; i < 16; i++) {
    const byte = source[at + i]!
    codes[to + i] = byte & 15
    codes[to + 16 + i] = byte >> 4
  }
}

/** Adds the fifth bits, number i's in bit i of a word. */
function fifthBits(source: Uint8Array, at: number, codes: Uint8Array, to: number): void {
  for (let i = 0; i < GROUP; i++) {
    codes[to + i]! |= ((source[at + (i >> 3)]! >> (i & 7)) & 1) << 4
  }
}

function line(into: Groups, group: number, scale: number, bias: number): void {
  into.scales[group] = scale
  into.biases[group] = bias
}

/** Twice the numbers of E2M1 (OCP Microscaling Formats 1.0), by code, plus 12. */
const E2M1 = Uint8Array.of(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0)

/** Turns codes into numbers of a table. */
function lookUp(codes: Uint8Array, from: number, table: Uint8Array): void {
  for (let i = from; i < from + GROUP; i++) codes[i] = table[codes[i]!]!
}

const AFFINE: Readonly<Record<string, AffineType>> = {
  Q4_0: {
    ...{ bits: 4, scale: 'F16' },
    unpack(source, at, into, group) {
      const d = half(source, at)
      nibbles(source, at + 2, into.codes, group * GROUP)
      line(into, group, d, -8 * d)
    },
  },
  Q4_1: {
    ...{ bits: 4, scale: 'F16' },
    unpack(source, at, into, group) {
      nibbles(source, at + 4, into.codes, group * GROUP)
      line(into, group, half(source, at), half(source, at + 2))
    },
  },
  Q5_0: {
    ...{ bits: 8, scale: 'F16' },
    unpack(source, at, into, group) {
      const d = half(source, at)
      nibbles(source, at + 6, into.codes, group * GROUP)
      fifthBits(source, at + 2, into.codes, group * GROUP)
      line(into, group, d, -16 * d)
    },
  },
  Q5_1: {
    ...{ bits: 8, scale: 'F16' },
    unpack(source, at, into, group) {
      nibbles(source, at + 8, into.codes, group * GROUP)
      fifthBits(source, at + 4, into.codes, group * GROUP)
      line(into, group, half(source, at), half(source, at + 2))
    },
  },
  Q8_0: {
    ...{ bits: 8, scale: 'F16' },
    unpack(source, at, into, group) {
      const d = half(source, at)
      // Signed codes become 0 to 255.
      for (let i = 0; i < GROUP; i++) into.codes[group * GROUP + i] = source[at + 2 + i]! ^ 0x80
      line(into, group, d, -128 * d)
    },
  },
  IQ4_NL: {
    ...{ bits: 8, scale: 'F16' },
    unpack(source, at, into, group) {
      const d = half(source, at)
      nibbles(source, at + 2, into.codes, group * GROUP)
      lookUp(into.codes, group * GROUP, NON_LINEAR)
      line(into, group, d, -128 * d)
    },
  },
  MXFP4: {
    ...{ bits: 8, scale: 'F32' },
    unpack(source, at, into, group) {
      const d = 2 ** (source[at]! - 128)
      nibbles(source, at + 1, into.codes, group * GROUP)
      lookUp(into.codes, group * GROUP, E2M1)
      line(into, group, d, -12 * d)
    },
  },
  ...AFFINE_K_QUANTS,
}

export const affineType = (name: string): AffineType | null => AFFINE[name] ?? null
export const roundedType = (name: string): RoundedType | null => ROUNDED_K_QUANTS[name] ?? null
export const plainType = (name: string): PlainType | null =>
  name === 'F32' || name === 'F16' || name === 'BF16' ? name : null

/** Names of the types that are read. */
export const KNOWN_TYPES: readonly string[] = [
  ...['F32', 'F16', 'BF16'],
  ...Object.keys(AFFINE),
  ...Object.keys(ROUNDED_K_QUANTS),
]
