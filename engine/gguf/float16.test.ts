/** The exact arithmetic on halves, for every F16. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { f16ToF32 as f16 } from '../../kernels/index.ts'
import { exactF16 } from './float16.ts'

describe('exact halves', () => {
  it('are found for every F16 and no other F32', () => {
    const bitsOf = (value: number) => new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0
    fc.assert(
      fc.property(fc.nat({ max: 0xffff }), fc.integer({ min: 1, max: 12 }), (half, nudge) => {
        if (((half >> 10) & 31) === 31) return
        const bits = bitsOf(f16(half))
        expect(exactF16(bits)).toBe(half)
        if ((half & 0x7fff) !== 0) expect(exactF16((bits ^ (1 << (nudge - 1))) >>> 0)).toBeNull()
      }),
      { numRuns: 2000 },
    )
    for (const value of [65536, Infinity, NaN, 2 ** -25]) expect(exactF16(bitsOf(value))).toBeNull()
  })
})
