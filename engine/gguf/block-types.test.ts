/** Every type of ggml that is read, against the numbers that llama.cpp's own package finds in the same blocks. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { GgufType } from '../weights/gguf-header.ts'
import { affineType, GROUP, KNOWN_TYPES, plainType, roundedType } from './block-types.ts'
import { decodeRows, unpackRows } from './numbers.ts'

const golden = JSON.parse(
  readFileSync(new URL('../../test/goldens/gguf.json', import.meta.url), 'utf8'),
) as Record<string, { blocks: string; numbers: string }>

const SIZES: Record<string, [block: number, bytes: number]> = {
  ...{ Q4_0: [32, 18], Q4_1: [32, 20], Q5_0: [32, 22], Q5_1: [32, 24], Q8_0: [32, 34] },
  ...{ Q2_K: [256, 84], Q3_K: [256, 110], Q4_K: [256, 144], Q5_K: [256, 176], Q6_K: [256, 210] },
  ...{ IQ4_NL: [32, 18], IQ4_XS: [256, 136], MXFP4: [32, 17] },
}

function vector(name: string): { type: GgufType; blocks: Uint8Array; numbers: Float32Array } {
  const { blocks = '', numbers = '' } = golden[name] ?? {}
  const [block, bytes] = SIZES[name] ?? [0, 0]
  return {
    type: { name, block, bytes },
    blocks: new Uint8Array(Buffer.from(blocks, 'base64')),
    numbers: new Float32Array(new Uint8Array(Buffer.from(numbers, 'base64')).buffer),
  }
}

/** What scale × code + bias in f32 may differ by from the reference, which rounds elsewhere. */
const near = (found: ArrayLike<number>, expected: Float32Array): void => {
  expect(found.length).toBe(expected.length)
  expected.forEach((value, i) => {
    const size = Math.max(Math.abs(value), 1e-3)
    expect(Math.abs((found[i] ?? Number.NaN) - value) / size, `number ${i}`).toBeLessThan(1e-5)
  })
}

describe.each(Object.keys(SIZES))('%s', (name) => {
  const { type, blocks, numbers } = vector(name)

  it('has the numbers of the reference', () => {
    near(decodeRows(type, blocks), numbers)
  })

  it('is codes with a scale and a bias for 32 of them', () => {
    const { codes, scales, biases } = unpackRows(type, blocks)
    const found = Array.from(
      codes,
      (code, i) => (scales[i >> 5] ?? 0) * code + (biases[i >> 5] ?? 0),
    )
    const affine = affineType(name)
    if (affine !== null) {
      near(found, numbers)
      expect(Math.max(...codes)).toBeLessThan(2 ** affine.bits)
      return
    }
    expect(roundedType(name)).not.toBeNull()
    for (let group = 0; group < scales.length; group++) {
      const own = numbers.subarray(group * GROUP, (group + 1) * GROUP)
      const range = Math.max(...own) - Math.min(...own)
      own.forEach((value, i) => {
        const error = Math.abs((found[group * GROUP + i] ?? Number.NaN) - value)
        // Half a step, and what F16 takes off scale and bias.
        expect(error).toBeLessThanOrEqual(range / 255 + 5e-4 * Math.abs(value))
      })
    }
  })
})

it('every type that is read is held here, but the plain ones and Q8_K, which no file has', () => {
  const held = [...Object.keys(SIZES), 'Q8_K', 'F32', 'F16', 'BF16']
  expect([...KNOWN_TYPES].sort()).toEqual(held.sort())
})

it('Q8_K has a float and 256 signed bytes', () => {
  const blocks = new Uint8Array(292)
  new DataView(blocks.buffer).setFloat32(0, 0.1, true)
  for (let i = 0; i < 256; i++) blocks[4 + i] = i
  const found = decodeRows({ name: 'Q8_K', block: 256, bytes: 292 }, blocks)
  const expected = Float32Array.from({ length: 256 }, (_, i) => 0.1 * (i < 128 ? i : i - 256))
  near(found, expected)
})

it.each(['F16', 'BF16', 'F32'])('%s is plain numbers', (name) => {
  const bytes = name === 'F32' ? [0, 0, 0xc0, 0xbf] : name === 'F16' ? [0, 0xbe] : [0xc0, 0xbf]
  const type = { name, block: 1, bytes: bytes.length }
  expect(Array.from(decodeRows(type, Uint8Array.from(bytes)))).toEqual([-1.5])
  expect(plainType(name)).toBe(name)
})
