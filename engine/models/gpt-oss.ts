/** gpt-oss: attention sinks, windows in every other layer, and experts with biases and a clamped SwiGLU. */
import { z } from 'zod'
import type { Family } from './config.ts'
import { assumingTheta, decoderConfig } from './decoder-keys.ts'
import { chosenExperts } from './expert-keys.ts'
import { attentionByType, windowOf } from './layer-types.ts'
import { hasRotation, parseRotary } from './rotary-config.ts'
import { attentionNames, modelNames, preNormNames } from './tensor-names.ts'
import { flagOr, positiveInteger, positiveNumber, validate } from './validate.ts'

const orElse = (value: number) => positiveNumber.nullish().transform((found) => found ?? value)
const schema = z.object({
  num_local_experts: positiveInteger,
  num_experts_per_tok: positiveInteger,
  intermediate_size: positiveInteger,
  attention_bias: flagOr(true),
  // GptOssExperts has them as constants.
  swiglu_alpha: orElse(1.702),
  swiglu_limit: orElse(7),
})

/** What transformers assumes where a config states no rotation, or no base. */
const ROTATION = {
  rope_type: 'yarn',
  factor: 32,
  beta_fast: 32,
  beta_slow: 1,
  truncate: false,
  original_max_position_embeddings: 4096,
}
const THETA = 150_000

export const gptOss: Family = {
  name: 'gpt-oss',
  architectures: ['GptOssForCausalLM'],
  config(json, generation) {
    const read = validate(schema, json, 'config.json')
    const rotary = parseRotary(
      assumingTheta(hasRotation(json) ? json : { ...json, rope_parameters: ROTATION }, THETA),
    )
    return {
      ...decoderConfig(json, generation, {
        attention: attentionByType(json, ['sliding_attention', 'full_attention'], (type) => ({
          window: windowOf(json, type),
          rotary,
        })),
      }),
      sinks: true,
      attentionBias: read.attention_bias,
      outputBias: read.attention_bias,
      experts: {
        ...chosenExperts(read.num_experts_per_tok, 'num_local_experts', read.num_local_experts),
        intermediateSize: read.intermediate_size,
        renormalise: true,
        routerBias: true,
        bias: true,
        clamp: { limit: read.swiglu_limit, alpha: read.swiglu_alpha },
      },
    }
  },
  tensors: modelNames((path) => ({
    ...preNormNames(path),
    ...attentionNames(path),
    sinks: `${path}.self_attn.sinks`,
    router: `${path}.mlp.router`,
    experts: {
      kind: 'stacked',
      gateUp: `${path}.mlp.experts.gate_up_proj`,
      gateUpBias: `${path}.mlp.experts.gate_up_proj_bias`,
      down: `${path}.mlp.experts.down_proj`,
      downBias: `${path}.mlp.experts.down_proj_bias`,
    },
  })),
}
