/** Exact arithmetic on the bits of F16 numbers: an answer that would need rounding is null. */
import { f16ToF32 } from '../../kernels/index.ts'

/** The F16 bits of an F32 given as bits, or null where no F16 equals it. */
export function exactF16(bits: number): number | null {
  const sign = (bits >>> 16) & 0x8000
  const exponent = ((bits >>> 23) & 255) - 127
  const mantissa = bits & 0x7fffff
  if (exponent === -127 && mantissa === 0) return sign
  if (exponent >= -14 && exponent <= 15) {
    return mantissa & 0x1fff ? null : sign | ((exponent + 15) << 10) | (mantissa >> 13)
  }
  if (exponent < -24 || exponent > 15) return null
  const shift = -exponent - 1
  const whole = mantissa | 0x800000
  return whole & ((1 << shift) - 1) ? null : sign | (whole >> shift)
}

/** By bits. */
export const F16_VALUES = Float32Array.from({ length: 1 << 16 }, (_, bits) => f16ToF32(bits))

/** The F16 at byte `at`. */
export const halfAt = (source: Uint8Array, at: number): number =>
  F16_VALUES[source[at]! | (source[at + 1]! << 8)]!
