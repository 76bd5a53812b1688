/**
 * Frequencies against an independent NumPy float32 script that follows transformers 5.23's `ROPE_INIT_FUNCTIONS`
 * (powers rounded correctly: NumPy's own are off by an ulp here and there); both spellings, every refusal.
 */
import { describe, expect, it } from 'vitest'
import { EngineError } from '../errors.ts'
import type { JsonObject } from '../weights/json.ts'
import { rotaryTable } from './rotary.ts'
import { parseRotary, type RotaryConfig } from './rotary-config.ts'

const base = { max_position_embeddings: 2048 }
const llama31 = {
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 8192,
}

/** What → config, head size, expected frequencies by index, attention factor. */
const TABLES: Record<string, [JsonObject, number, Record<number, number>, number]> = {
  default: [
    { rope_theta: 500000 },
    128,
    { 0: 1, 1: 0.814617217, 31: 0.00173604675, 32: 0.00141421345, 63: 2.4551407e-6 },
    1,
  ],
  linear: [
    { rope_theta: 10000, rope_scaling: { type: 'linear', factor: 2 } },
    16,
    { 0: 0.5, 1: 0.158113882, 4: 0.00499999989, 7: 0.000158113893 },
    1,
  ],
  'llama3, of Llama 3.1': [
    { rope_theta: 500000, rope_scaling: { rope_type: 'llama3', ...llama31 } },
    128,
    {
      0: 1,
      28: 0.00321144611,
      29: 0.00216657063,
      30: 0.00137189368,
      32: 0.000524846022,
      35: 9.55621217e-5,
      36: 7.78465546e-5,
      63: 3.06892588e-7,
    },
    1,
  ],
  'llama3, of Llama 3.2': [
    { rope_parameters: { rope_type: 'llama3', rope_theta: 500000, ...llama31, factor: 32 } },
    64,
    {
      14: 0.00321144611,
      15: 0.00129054801,
      16: 0.000429556705,
      17: 9.70828623e-5,
      31: 9.41830649e-8,
    },
    1,
  ],
  'yarn, of Qwen': [
    {
      rope_theta: 1e6,
      rope_scaling: { type: 'yarn', factor: 4, original_max_position_embeddings: 32768 },
    },
    128,
    {
      0: 1,
      20: 0.0133352149,
      23: 0.00697830599,
      24: 0.00537532149,
      30: 0.00106436096,
      39: 6.4903943e-5,
      63: 3.10234441e-7,
    },
    1.138629436111989,
  ],
  'yarn with two mscales': [
    {
      rope_scaling: {
        type: 'yarn',
        factor: 40,
        mscale: 1,
        mscale_all_dim: 0.7,
        original_max_position_embeddings: 4096,
      },
    },
    64,
    {
      0: 1,
      10: 0.0562341288,
      11: 0.0390069261,
      15: 0.0083345091,
      20: 0.000790569407,
      31: 3.33380353e-6,
    },
    1.0879546075066122,
  ],
  'yarn without truncation': [
    {
      rope_theta: 150000,
      rope_scaling: {
        rope_type: 'yarn',
        factor: 32,
        truncate: false,
        original_max_position_embeddings: 4096,
      },
    },
    64,
    {
      0: 1,
      8: 0.0508132726,
      9: 0.0317056961,
      12: 0.00679495931,
      17: 0.000129318694,
      18: 3.83088118e-5,
      31: 3.0235114e-7,
    },
    1.3465735902799727,
  ],
  'yarn with betas and its own attention factor': [
    {
      rope_scaling: {
        rope_type: 'yarn',
        factor: 4,
        beta_fast: 64,
        beta_slow: 2,
        attention_factor: 1.25,
        original_max_position_embeddings: 2048,
      },
    },
    64,
    {
      0: 1,
      6: 0.167568639,
      10: 0.0400127433,
      14: 0.00854942016,
      20: 0.000790569466,
      31: 3.33380376e-5,
    },
    1.25,
  ],
  'yarn with a ramp of no width': [
    { rope_scaling: { rope_type: 'yarn', factor: 1, original_max_position_embeddings: 6 } },
    64,
    { 0: 1, 1: 0.749894202, 31: 0.00013335215 },
    1,
  ],
}

describe('rotaryTable', () => {
  for (const [what, [config, headDim, expected, attentionFactor]] of Object.entries(TABLES)) {
    it(`matches transformers: ${what}`, () => {
      const table = rotaryTable(parseRotary({ ...base, ...config }), headDim)
      expect(table.inverseFrequencies.length).toBe(headDim / 2)
      expect(table.attentionFactor).toBeCloseTo(attentionFactor, 14)
      for (const [index, value] of Object.entries(expected)) {
        // Nine digits determine a float32, so this is equality to the last bit.
        expect(table.inverseFrequencies[Number(index)]).toBe(Math.fround(value))
      }
    })
  }
})

const parse = (json: JsonObject): RotaryConfig => parseRotary({ ...base, ...json })

describe('parseRotary', () => {
  it('assumes theta 10000 and no scaling', () => {
    const plain = { kind: 'default', theta: 10000 }
    expect(parse({})).toEqual(plain)
    expect(parse({ rope_scaling: null, rope_parameters: {} })).toEqual(plain)
    expect(parse({ rope_parameters: { rope_type: 'default', rope_theta: 1e4 } })).toEqual(plain)
  })

  it('prefers rope_scaling, and a theta inside it', () => {
    const config = parse({
      rope_theta: 100,
      rope_scaling: { rope_type: 'linear', type: 'yarn', factor: 2, rope_theta: 200 },
      rope_parameters: { rope_type: 'default', rope_theta: 300 },
    })
    expect(config).toEqual({ kind: 'linear', theta: 200, factor: 2 })
  })

  it('takes the original context from beside, inside, or the model itself', () => {
    const rope_scaling = { rope_type: 'yarn', factor: 2 }
    const inside = { ...rope_scaling, original_max_position_embeddings: 1024 }
    expect(parse({ rope_scaling })).toMatchObject({ originalContextLength: 2048 })
    expect(parse({ rope_scaling: inside })).toMatchObject({ originalContextLength: 1024 })
    const both = { rope_scaling: inside, original_max_position_embeddings: 512 }
    expect(parse(both)).toMatchObject({ originalContextLength: 512 })
  })

  it('takes a missing yarn factor from the two contexts', () => {
    const rope_scaling = { rope_type: 'yarn', original_max_position_embeddings: 512, beta_fast: 0 }
    expect(parse({ rope_scaling })).toMatchObject({ factor: 4, betaFast: 32, betaSlow: 1 })
  })

  const llama3 = { rope_type: 'llama3', ...llama31 }
  const REFUSED: Record<string, [JsonObject, string]> = {
    'an unknown type': [
      { rope_scaling: { rope_type: 'ntk' } },
      'config.json: "rope_scaling.rope_type" is "ntk", expected one of default, linear, dynamic, llama3, yarn, longrope',
    ],
    'a type that is no text': [{ rope_scaling: { type: 3 } }, '"rope_scaling.rope_type" is 3'],
    'no factor': [
      { rope_scaling: { type: 'linear' } },
      '"rope_scaling.factor" is missing, expected a number from 0.001 to 1000000',
    ],
    'a bad factor': [
      { rope_parameters: { type: 'linear', factor: '2' } },
      '"rope_parameters.factor" is "2"',
    ],
    'llama3 without its factors': [
      { rope_scaling: { ...llama3, low_freq_factor: null } },
      '"rope_scaling.low_freq_factor" is null',
    ],
    'llama3 factors the wrong way': [
      { rope_scaling: { ...llama3, high_freq_factor: 1 } },
      '"rope_scaling.high_freq_factor" is 1, expected above low_freq_factor, which is 1',
    ],
    'a bad original context': [
      { rope_scaling: { ...llama3, original_max_position_embeddings: 0.5 } },
      '"rope_scaling.original_max_position_embeddings" is 0.5, expected a positive integer',
    ],
    'a factor that leaves float32': [
      { rope_scaling: { type: 'linear', factor: 1e-300 } },
      '1e-300',
    ],
    'mscales that give no scale': [
      { rope_scaling: { type: 'yarn', factor: 2, mscale: -1e9, mscale_all_dim: 1 } },
      '"rope_scaling.mscale" is -1000000000',
    ],
    'betas the wrong way': [
      { rope_scaling: { type: 'yarn', factor: 2, beta_fast: 1, beta_slow: 8 } },
      'beta_fast',
    ],
    'a theta of 1': [{ rope_theta: 1 }, '"rope_theta" is 1, expected a number above 1'],
    'a theta of text': [{ rope_scaling: { rope_theta: 'x' } }, '"rope_scaling.rope_theta" is "x"'],
    'a list': [{ rope_scaling: [1] }, '"rope_scaling" is [1], expected an object or null'],
    'a rotation for each layer type': [
      { rope_parameters: { full_attention: { rope_type: 'default' } } },
      '"rope_parameters.full_attention" is an object, expected one rotation for all layers',
    ],
  }
  for (const [what, [json, message]] of Object.entries(REFUSED)) {
    it(`refuses ${what}`, () => {
      expect(() => parse(json)).toThrow(EngineError)
      expect(() => parse(json)).toThrow(message)
    })
  }
})
