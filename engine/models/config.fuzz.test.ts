/** Whatever a `config.json` holds: it is read into finite numbers, or `EngineError('model')` says why. Nothing else. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { EngineError } from '../errors.ts'
import type { JsonObject } from '../weights/json.ts'
import { quantizationOf } from './config.ts'
import { CONFIGS } from './fixture.ts'
import { familyOf } from './index.ts'
import { rotaryTable } from './rotary.ts'

const right = {
  architectures: ['LlamaForCausalLM'],
  attention_bias: false,
  bos_token_id: 1,
  eos_token_id: [2, 3],
  head_dim: 16,
  hidden_act: 'silu',
  hidden_size: 64,
  intermediate_size: 160,
  max_position_embeddings: 512,
  mlp_bias: true,
  num_attention_heads: 4,
  num_hidden_layers: 3,
  num_key_value_heads: 2,
  partial_rotary_factor: 1,
  original_max_position_embeddings: null,
  quantization: { bits: 4, group_size: 32, lm_head: false },
  rms_norm_eps: 1e-6,
  rope_parameters: null,
  rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 64 },
  rope_theta: 10000,
  tie_word_embeddings: false,
  vocab_size: 320,
}
const rotation = fc.record(
  {
    rope_type: fc.constantFrom('default', 'linear', 'llama3', 'yarn', 'dynamic', null),
    factor: fc.oneof(fc.double(), fc.integer()),
    low_freq_factor: fc.double(),
    high_freq_factor: fc.double(),
    original_max_position_embeddings: fc.oneof(fc.nat(), fc.double()),
    beta_fast: fc.double(),
    beta_slow: fc.double(),
    mscale: fc.double(),
    mscale_all_dim: fc.double(),
    attention_factor: fc.double(),
    truncate: fc.boolean(),
    rope_theta: fc.oneof(fc.double(), fc.constant(1e4)),
  },
  { requiredKeys: [] },
)
const odd = fc.oneof(fc.jsonValue(), rotation, fc.constantFrom(0, -1, 1e308, '__proto__', {}, []))
const keys = [...new Set([right, ...Object.values(CONFIGS)].flatMap(Object.keys))]
const changes = fc.dictionary(fc.constantFrom(...keys), odd, { minKeys: 1, maxKeys: 3 })
const configs = fc.constantFrom<JsonObject[]>(right, ...Object.values(CONFIGS))

it('survives any values', () => {
  fc.assert(
    fc.property(configs, changes, (config, changed) => {
      // Through text, as a file would come: no NaN, no Infinity, no undefined.
      const json = JSON.parse(JSON.stringify({ ...config, ...changed })) as JsonObject
      try {
        const read = familyOf(json).config(json, json)
        quantizationOf(json, 'lm_head')
        if (read.headDim > 1024) return
        for (const { rotary } of read.attention) {
          if (!rotary) continue
          const { inverseFrequencies, attentionFactor } = rotaryTable(rotary, read.rotaryDimensions)
          expect(Number.isFinite(attentionFactor)).toBe(true)
          expect(inverseFrequencies.every(Number.isFinite)).toBe(true)
        }
      } catch (error) {
        if (!(error instanceof EngineError)) throw error
        expect(error.code).toBe('model')
        expect(error.message).toContain('config.json: ')
        expect(error.message.length).toBeLessThan(1500)
      }
    }),
    { numRuns: 3000 },
  )
})
