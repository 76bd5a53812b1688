/** The search for a group's line, on the CPU: what the GPU does bit for bit (oracle.gpu.test.ts). */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { rowsFrom } from '../formats/format.ts'
import { f16ToF32 } from '../formats/half.ts'
import { formats } from '../formats/index.ts'
import { Random } from '../kernel.ts'
import { quantizeGroup, SEARCHES } from './quantize-oracle.ts'

const PLAIN = { margins: [0], tries: 1 }

/** Values that the codes stand for. */
function valuesOf({ codes, scale, bias }: ReturnType<typeof quantizeGroup>): number[] {
  return codes.map((code) => f16ToF32(scale) * code + f16ToF32(bias))
}

const squaredError = (values: Float32Array, found: ReturnType<typeof quantizeGroup>): number =>
  valuesOf(found).reduce((sum, value, i) => sum + (value - values[i]!) ** 2, 0)

describe.each([4, 8])('%i bits', (bits) => {
  test('never more error than the range of the group alone gives', () => {
    const value = fc.float({ min: -60000, max: 60000, noNaN: true })
    const small = fc.float({ min: Math.fround(-0.1), max: Math.fround(0.1), noNaN: true })
    const group = fc.oneof(
      fc.array(value, { minLength: 32, maxLength: 32 }),
      fc.array(small, { minLength: 64, maxLength: 64 }),
    )
    fc.assert(
      fc.property(group, (list) => {
        const values = Float32Array.from(list)
        const plain = squaredError(values, quantizeGroup(values, bits, PLAIN))
        const best = squaredError(values, quantizeGroup(values, bits))
        // The search adds up in f32, cut to 12 bits: it may take a line that is equal but for that.
        expect(best).toBeLessThanOrEqual(plain * 1.001 + 1e-30)
      }),
      { numRuns: 300 },
    )
  })

  test('less error than the range alone gives, on normal values', () => {
    const random = new Random(3)
    let [plain, best] = [0, 0]
    for (let i = 0; i < 200; i++) {
      const values = Float32Array.from({ length: 32 }, () =>
        Math.fround(Array.from({ length: 12 }, () => random.f32(0.02)).reduce((a, b) => a + b)),
      )
      plain += squaredError(values, quantizeGroup(values, bits, PLAIN))
      best += squaredError(values, quantizeGroup(values, bits))
    }
    expect(best / plain).toBeLessThan(bits === 4 ? 0.88 : 0.93)
  })

  test('a value of a code is at most half a step off, inside the range', () => {
    const values = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i) * 0.1)
    const found = quantizeGroup(values, bits)
    const step = f16ToF32(found.scale)
    expect(found.codes.every((code) => code >= 0 && code < 2 ** bits)).toBe(true)
    const inner = valuesOf(found).filter((_, i) => ![0, 2 ** bits - 1].includes(found.codes[i]!))
    expect(inner.length).toBeGreaterThan(30)
    for (const [i, value] of valuesOf(found).entries()) {
      if ([0, 2 ** bits - 1].includes(found.codes[i]!)) continue
      expect(Math.abs(value - values[i]!)).toBeLessThanOrEqual(step * 0.5001)
    }
  })

  test('zeros stay zeros, one value stays that value, extremes stay finite', () => {
    expect(valuesOf(quantizeGroup(new Float32Array(32), bits))).toEqual(Array(32).fill(0))
    expect(quantizeGroup(new Float32Array(32).fill(-0), bits)).toMatchObject({ scale: 0, bias: 0 })
    expect(valuesOf(quantizeGroup(new Float32Array(32).fill(0.375), bits))).toEqual(
      Array(32).fill(0.375),
    )
    const ends = Float32Array.from({ length: 32 }, (_, i) => (i % 2 ? 65504 : -65504))
    for (const value of valuesOf(quantizeGroup(ends, bits)))
      expect(Math.abs(value)).toBeLessThan(66000)
    const tiny = Float32Array.from({ length: 32 }, (_, i) => i * 1e-12)
    for (const value of valuesOf(quantizeGroup(tiny, bits)))
      expect(Math.abs(value)).toBeLessThan(1e-7)
  })

  test('values that are on such a line come back exactly', () => {
    const [scale, bias] = [2 ** -6, -0.25]
    const values = Float32Array.from(
      { length: 128 },
      (_, i) => ((i * 7) % 2 ** bits) * scale + bias,
    )
    expect(valuesOf(quantizeGroup(values, bits))).toEqual([...values])
  })
})

test('margins are powers of two: their products must be exact', () => {
  for (const { margins } of Object.values(SEARCHES)) {
    for (const margin of margins)
      expect(margin === 0 || Number.isInteger(Math.log2(Math.abs(margin)))).toBe(true)
  }
})

test.each([...formats.keys()])('%s: what is packed comes back by unpack', (id) => {
  const format = formats.get(id)!
  const [rows, columns] = [29, 256]
  const source = format.encode(new Random(5).floats(rows * columns), rows, columns)
  const per = format.wordsPerRowBlock(columns)
  const packed = { words: new Uint32Array(per.words * 2), scales: new Uint32Array(per.scales * 2) }
  format.pack(source, rowsFrom(0, rows), columns, packed, 1)
  expect(format.unpack(packed, rows, columns, 1)).toEqual(source)
})
