/** Which share of a head turns, and rotations by type of layer. */
import { describe, expect, it } from 'vitest'
import { rotaryTable } from './rotary.ts'
import { hasRotationByType, parseRotary, rotatedShare } from './rotary-config.ts'

describe('rotatedShare', () => {
  it('is read inside the rotation or beside it', () => {
    expect(rotatedShare({})).toBe(1)
    expect(rotatedShare({ partial_rotary_factor: 0.5 })).toBe(0.5)
    const rope_parameters = { rope_type: 'default', partial_rotary_factor: 0.75 }
    expect(rotatedShare({ partial_rotary_factor: 0.5, rope_parameters })).toBe(0.75)
  })

  it('is refused above 1', () => {
    expect(() => rotatedShare({ partial_rotary_factor: 1.5 })).toThrow(
      '"partial_rotary_factor" is 1.5, expected a number above 0, at most 1',
    )
  })
})

it('reads the rotation of a type of layer', () => {
  const rope_parameters = {
    full_attention: { rope_type: 'linear', factor: 8, rope_theta: 1e6 },
    sliding_attention: { rope_type: 'default', rope_theta: 1e4 },
  }
  expect(hasRotationByType({ rope_parameters })).toBe(true)
  expect(hasRotationByType({ rope_theta: 1e4 })).toBe(false)
  const full = parseRotary({ rope_parameters }, 'full_attention')
  expect(full).toEqual({ kind: 'linear', theta: 1e6, factor: 8 })
  const sliding = parseRotary({ rope_parameters }, 'sliding_attention')
  expect(sliding).toEqual({ kind: 'default', theta: 1e4 })
})

describe('longrope', () => {
  const json = {
    max_position_embeddings: 64,
    original_max_position_embeddings: 16,
    rope_scaling: { type: 'longrope', short_factor: [1, 2], long_factor: [4, 8] },
  }

  it('scales as transformers does', () => {
    const rotary = parseRotary(json)
    expect(rotary).toMatchObject({ kind: 'longrope', originalContextLength: 16 })
    // sqrt(1 + ln(64 / 16) / ln(16))
    expect(rotaryTable(rotary, 4).attentionFactor).toBeCloseTo(1.5 ** 0.5, 14)
  })

  it('has other frequencies for contexts beyond the original one', () => {
    const rotary = parseRotary(json)
    const of = (context: number) => [...rotaryTable(rotary, 4, context).inverseFrequencies]
    expect(of(16)).toEqual([1, Math.fround(1 / 200)])
    expect(of(17)).toEqual([0.25, Math.fround(1 / 800)])
  })
})
