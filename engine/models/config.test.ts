/** How `config.json` says that a module is packed. */
import { describe, expect, it } from 'vitest'
import { EngineError } from '../errors.ts'
import type { JsonObject } from '../weights/json.ts'
import { quantizationOf } from './config.ts'

describe('quantizationOf', () => {
  const settings = {
    group_size: 64,
    bits: 4,
    'model.embed_tokens': { group_size: 32, bits: 8 },
    lm_head: false,
    'model.norm': true,
  }

  it('honours overrides, in either key', () => {
    for (const config of [{ quantization: settings }, { quantization_config: settings }]) {
      const four = { kind: 'affine', bits: 4, groupSize: 64 }
      expect(quantizationOf(config, 'model.layers.0.mlp.up_proj')).toEqual(four)
      expect(quantizationOf(config, 'model.norm')).toEqual(four)
      expect(quantizationOf(config, 'lm_head')).toBeNull()
      expect(quantizationOf(config, 'model.embed_tokens')).toEqual({
        kind: 'affine',
        bits: 8,
        groupSize: 32,
      })
    }
    expect(quantizationOf({}, 'lm_head')).toBeNull()
    expect(quantizationOf({ quantization_config: null }, 'lm_head')).toBeNull()
  })

  it('names methods that are not supported', () => {
    for (const quant_method of ['gptq', 'awq', 'compressed-tensors', 'fp8', 'bitsandbytes']) {
      const read = () => quantizationOf({ quantization_config: { quant_method, bits: 4 } }, 'x')
      expect(read).toThrow(EngineError)
      expect(read).toThrow(`"quantization_config.quant_method" is "${quant_method}"`)
    }
  })

  it('refuses other bits, groups, modes and shapes of settings', () => {
    const read = (quantization: JsonObject | string) => () => quantizationOf({ quantization }, 'x')
    expect(read({ bits: 3, group_size: 64 })).toThrow('"quantization.bits" is 3, expected 4 or 8')
    expect(read({ bits: 4, group_size: 16 })).toThrow('"quantization.group_size" is 16')
    expect(read({ bits: 4 })).toThrow('"quantization.group_size" is missing')
    expect(read({ bits: 4, group_size: 32, mode: 'mxfp4' })).toThrow(
      '"quantization.mode" is "mxfp4"',
    )
    expect(read({ bits: 4, group_size: 32, x: { bits: 8 } })).toThrow('"quantization.x.group_size"')
    expect(read({ bits: 4, group_size: 32, x: 8 })).toThrow('"quantization.x" is 8')
    expect(read('4bit')).toThrow('"quantization" is "4bit"')
  })
})
