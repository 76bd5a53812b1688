/** 16-bit floats on the host: IEEE half and bfloat16, round to nearest even. */
const f32 = new Float32Array(1)
const u32 = new Uint32Array(f32.buffer)

export function bf16ToF32(bits: number): number {
  u32[0] = bits << 16
  return f32[0]!
}

export function f32ToBf16(value: number): number {
  f32[0] = value
  const bits = u32[0]!
  if (Number.isNaN(value)) return 0x7fc0
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff
}

export function f16ToF32(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >>> 10) & 31
  const fraction = bits & 1023
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

export function f32ToF16(value: number): number {
  f32[0] = value
  const bits = u32[0]!
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7e00
  if (magnitude >= 0x477ff000) return sign | 0x7c00 // rounds to infinity
  if (magnitude < 0x38800000) {
    // subnormal: scale so that the unit is 2^-24, then round half to even
    const scaled = Math.abs(f32[0]!) * 2 ** 24
    const floor = Math.floor(scaled)
    const rest = scaled - floor
    return sign | (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor)
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1)
  return sign | ((rounded - 0x38000000) >>> 13)
}

/** Two floats as f16 in a word, the first in the low half: WGSL's pack2x16float. */
export const packF16 = (a: number, b: number): number => (f32ToF16(a) | (f32ToF16(b) << 16)) >>> 0
