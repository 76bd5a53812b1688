/** ggml's types of 256 numbers a block, whose scales are themselves quantized. */
import type { AffineType, Groups, RoundedType } from './block-types.ts'
import { halfAt as half } from './float16.ts'

/** Numbers of a block. */
const BLOCK = 256
const GROUPS = 8

const signed = (byte: number): number => (byte << 24) >> 24

/** Six bits each for eight scales and eight minima, in twelve bytes. */
function sixBits(source: Uint8Array, at: number, group: number): [scale: number, minimum: number] {
  if (group < 4) return [source[at + group]! & 63, source[at + 4 + group]! & 63]
  const low = source[at + 4 + group]!
  return [
    (low & 15) | ((source[at + group - 4]! >> 6) << 4),
    (low >> 4) | ((source[at + group]! >> 6) << 4),
  ]
}

/** Of the runs of a block of Q4_K or Q5_K, which begins with what all scales and all minima are multiplied by. */
function scalesAndMinima(source: Uint8Array, at: number, into: Groups, group: number): void {
  const [d, least] = [half(source, at), half(source, at + 2)]
  for (let g = 0; g < GROUPS; g++) {
    const [scale, minimum] = sixBits(source, at + 4, g)
    into.scales[group + g] = d * scale
    into.biases[group + g] = -least * minimum
  }
}

/** Half bytes: number i of run 2p in the lower halves of 32 bytes, of run 2p + 1 in the upper ones. */
function pairedNibbles(source: Uint8Array, at: number, codes: Uint8Array, to: number): void {
  for (let group = 0; group < GROUPS; group++) {
    const bytes = at + (group >> 1) * 32
    const shift = (group & 1) * 4
    for (let i = 0; i < 32; i++) codes[to + group * 32 + i] = (source[bytes + i]! >> shift) & 15
  }
}

/** The numbers of IQ4_NL and IQ4_XS, by code, plus 128. */
export const NON_LINEAR = Uint8Array.of(
  ...[1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241],
)

export const AFFINE_K_QUANTS: Readonly<Record<string, AffineType>> = {
  Q4_K: {
    ...{ bits: 4, scale: 'F32' },
    unpack(source, at, into, group) {
      pairedNibbles(source, at + 16, into.codes, group * 32)
      scalesAndMinima(source, at, into, group)
    },
  },
  Q5_K: {
    ...{ bits: 8, scale: 'F32' },
    unpack(source, at, into, group) {
      pairedNibbles(source, at + 48, into.codes, group * 32)
      scalesAndMinima(source, at, into, group)
      for (let g = 0; g < GROUPS; g++) {
        // Byte i of 32 has number i's fifth bit of every run.
        for (let i = 0; i < 32; i++) {
          into.codes[(group + g) * 32 + i]! |= ((source[at + 16 + i]! >> g) & 1) << 4
        }
      }
    },
  },
  Q8_K: {
    ...{ bits: 8, scale: 'F32' },
    unpack(source, at, into, group) {
      const d = new DataView(source.buffer, source.byteOffset + at).getFloat32(0, true)
      for (let i = 0; i < BLOCK; i++) into.codes[group * 32 + i] = source[at + 4 + i]! ^ 0x80
      into.scales.fill(d, group, group + GROUPS)
      into.biases.fill(-128 * d, group, group + GROUPS)
    },
  },
  IQ4_XS: {
    ...{ bits: 8, scale: 'F32' },
    unpack(source, at, into, group) {
      const d = half(source, at)
      const high = source[at + 2]! | (source[at + 3]! << 8)
      for (let g = 0; g < GROUPS; g++) {
        const low = (source[at + 4 + (g >> 1)]! >> ((g & 1) * 4)) & 15
        const scale = d * ((low | (((high >> (2 * g)) & 3) << 4)) - 32)
        into.scales[group + g] = scale
        into.biases[group + g] = -128 * scale
        const to = (group + g) * 32
        for (let i = 0; i < 16; i++) {
          const byte = source[at + 8 + g * 16 + i]!
          into.codes[to + i] = NON_LINEAR[byte & 15]!
          into.codes[to + 16 + i] = NON_LINEAR[byte >> 4]!
        }
      }
    },
  },
}

/** Types whose scales hold for 16 numbers. */
export const ROUNDED_K_QUANTS: Readonly<Record<string, RoundedType>> = {
  Q2_K: {
    numbers(source, at, values, first) {
      const [d, least] = [half(source, at + 80), half(source, at + 82)]
      for (let i = 0; i < BLOCK; i++) {
        const scale = source[at + (i >> 4)]!
        const byte = source[at + 16 + (i >> 7) * 32 + (i & 31)]!
        const code = (byte >> (((i >> 5) & 3) * 2)) & 3
        values[first + i] = Math.fround(d * (scale & 15)) * code - Math.fround(least * (scale >> 4))
      }
    },
  },
  Q3_K: {
    numbers(source, at, values, first) {
      const d = half(source, at + 108)
      const scales = at + 96
      for (let i = 0; i < BLOCK; i++) {
        const s = i >> 4
        const low = (source[scales + (s & 7)]! >> ((s >> 3) * 4)) & 15
        const high = (source[scales + 8 + (s & 3)]! >> ((s >> 2) * 2)) & 3
        const byte = source[at + 32 + (i >> 7) * 32 + (i & 31)]!
        const code = (byte >> (((i >> 5) & 3) * 2)) & 3
        const third = (source[at + (i & 31)]! >> (i >> 5)) & 1
        values[first + i] = Math.fround(d * ((low | (high << 4)) - 32)) * (code - (third ? 0 : 4))
      }
    },
  },
  Q6_K: {
    numbers(source, at, values, first) {
      const d = half(source, at + 208)
      for (let i = 0; i < BLOCK; i++) {
        const part = i >> 7
        const within = i & 127
        const low = source[at + part * 64 + (within & 63)]! >> ((within >> 6) * 4)
        const high = source[at + 128 + part * 32 + (within & 31)]! >> ((within >> 5) * 2)
        const code = ((low & 15) | ((high & 3) << 4)) - 32
        values[first + i] = Math.fround(d * signed(source[at + 192 + (i >> 4)]!)) * code
      }
    },
  },
}
