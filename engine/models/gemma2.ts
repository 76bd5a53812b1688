/** Gemma 2: norms before and after each block, whose weights differ from 1; softcaps; windows in every other layer. */
import { z } from 'zod'
import type { JsonObject } from '../weights/json.ts'
import { activation, type DecoderConfig, type Family } from './config.ts'
import { decoderConfig } from './decoder-keys.ts'
import { attentionByType, windowOf } from './layer-types.ts'
import { parseRotary } from './rotary-config.ts'
import { attentionNames, mlpNames, modelNames } from './tensor-names.ts'
import { positiveNumber, validate } from './validate.ts'

const schema = z.object({
  hidden_activation: activation.nullish(),
  query_pre_attn_scalar: positiveNumber,
  attn_logit_softcapping: positiveNumber.nullish(),
  final_logit_softcapping: positiveNumber.nullish(),
})

/** What Gemma 2 and 3 have in common. */
export function gemmaConfig(
  json: JsonObject,
  generation: JsonObject,
  attention: DecoderConfig['attention'],
): DecoderConfig {
  const read = validate(schema, json, 'config.json')
  const config = decoderConfig(json, generation, {
    activation: read.hidden_activation ?? 'gelu-tanh',
    isTied: true,
    attention,
  })
  return {
    ...config,
    mlpBias: false,
    normOffset: 1,
    normPlacement: 'both',
    embeddingScale: Math.sqrt(config.hiddenSize),
    attentionScale: read.query_pre_attn_scalar ** -0.5,
    attentionCap: read.attn_logit_softcapping ?? null,
    logitCap: read.final_logit_softcapping ?? null,
  }
}

/** Norms around the blocks. */
export const gemmaNormNames = (path: string) => ({
  attentionNorm: `${path}.input_layernorm`,
  attentionPostNorm: `${path}.post_attention_layernorm`,
  mlpNorm: `${path}.pre_feedforward_layernorm`,
  mlpPostNorm: `${path}.post_feedforward_layernorm`,
})

export const gemma2: Family = {
  name: 'gemma2',
  architectures: ['Gemma2ForCausalLM'],
  config(json, generation) {
    const rotary = parseRotary(json)
    const attention = attentionByType(json, ['sliding_attention', 'full_attention'], (type) => ({
      window: windowOf(json, type),
      rotary,
    }))
    return gemmaConfig(json, generation, attention)
  },
  tensors: modelNames((path) => ({
    ...gemmaNormNames(path),
    ...attentionNames(path),
    ...mlpNames(path),
  })),
}
