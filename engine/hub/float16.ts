/** Exact arithmetic on the bits of F16 numbers: an answer that would need rounding is null. */

/** F16 bits times 2^shift, or null where the result is not an F16 (overflow, infinity, NaN). */
export function scaleF16(bits: number, shift: number): number | null {
  const sign = bits & 0x8000
  let exponent = (bits >> 10) & 31
  let mantissa = bits & 1023
  if (exponent === 31) return null
  for (let i = 0; i < shift; i++) {
    if (exponent > 0) exponent += 1
    else {
      mantissa <<= 1
      if (mantissa >= 1024) {
        mantissa -= 1024
        exponent = 1
      }
    }
  }
  return exponent >= 31 ? null : sign | (exponent << 10) | mantissa
}

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

/** The number that F16 bits stand for (finite ones only). */
export function f16Value(bits: number): number {
  const exponent = (bits >> 10) & 31
  const mantissa = bits & 1023
  const size = exponent === 0 ? mantissa / 2 ** 24 : (1 + mantissa / 1024) * 2 ** (exponent - 15)
  return bits & 0x8000 ? -size : size
}
