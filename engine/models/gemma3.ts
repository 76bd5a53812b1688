/** Gemma 3, its text models: Gemma 2 with normed queries and keys, and another rotation in layers with windows. */
import { z } from 'zod'
import type { JsonObject } from '../weights/json.ts'
import type { DecoderConfig, Family } from './config.ts'
import { gemmaConfig, gemmaNormNames } from './gemma2.ts'
import { attentionByType, windowOf } from './layer-types.ts'
import { hasRotationByType, parseRotary, type RotaryConfig } from './rotary-config.ts'
import { attentionNames, mlpNames, modelNames, queryKeyNormNames } from './tensor-names.ts'
import { positiveInteger, validate } from './validate.ts'

const BASE = 'a number above 1'
const schema = z.object({
  sliding_window_pattern: positiveInteger.nullish(),
  _sliding_window_pattern: positiveInteger.nullish(),
  rope_theta: z.number(BASE).gt(1, BASE).nullish(),
  rope_local_base_freq: z.number(BASE).gt(1, BASE).nullish(),
})
/** What transformers assumes. */
const PERIOD = 6
const THETA = { full: 1_000_000, sliding: 10_000 }

function attention(json: JsonObject): DecoderConfig['attention'] {
  const read = validate(schema, json, 'config.json')
  const period = read.sliding_window_pattern ?? read._sliding_window_pattern ?? PERIOD
  const pattern = Array.from({ length: Math.min(period, 4096) }, (_, i) =>
    i === period - 1 ? ('full_attention' as const) : ('sliding_attention' as const),
  )
  // Spelt for both types, or for full layers with the other's base beside it.
  const isByType = hasRotationByType(json)
  const full = isByType
    ? parseRotary(json, 'full_attention')
    : parseRotary({ ...json, rope_theta: read.rope_theta ?? THETA.full })
  const sliding: RotaryConfig = isByType
    ? parseRotary(json, 'sliding_attention')
    : { kind: 'default', theta: read.rope_local_base_freq ?? THETA.sliding }
  return attentionByType(json, pattern, (type) => ({
    window: windowOf(json, type),
    rotary: type === 'full_attention' ? full : sliding,
  }))
}

export const gemma3: Family = {
  name: 'gemma3',
  architectures: ['Gemma3ForCausalLM'],
  config: (json, generation) => ({
    ...gemmaConfig(json, generation, attention(json)),
    queryKeyNorm: 'head',
    // Norms of queries and keys took its place: transformers reads `attn_logit_softcapping` and does not use it.
    attentionCap: null,
  }),
  tensors: modelNames((path) => ({
    ...gemmaNormNames(path),
    ...attentionNames(path),
    ...queryKeyNormNames(path),
    ...mlpNames(path),
  })),
}
