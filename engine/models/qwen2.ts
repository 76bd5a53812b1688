/** Qwen2 and Qwen2.5: Llama with biases on queries, keys and values, which its config does not mention. */
import { z } from 'zod'
import type { JsonObject } from '../weights/json.ts'
import type { DecoderConfig, Family } from './config.ts'
import { decoderConfig } from './decoder-keys.ts'
import { attentionByType, optionalWindow } from './layer-types.ts'
import { llama } from './llama.ts'
import { parseRotary } from './rotary-config.ts'
import { nonNegativeInteger, positiveInteger, validate } from './validate.ts'

const schema = z.object({
  num_hidden_layers: positiveInteger,
  max_window_layers: nonNegativeInteger.nullish(),
})
/** What transformers assumes. */
const FIRST_WINDOW_LAYER = 28

/** A window, where there is one, from layer `max_window_layers` on. */
export function qwenAttention(json: JsonObject): DecoderConfig['attention'] {
  const rotary = parseRotary(json)
  const window = optionalWindow(json)
  if (window === null) return [{ window, rotary }]
  const read = validate(schema, json, 'config.json')
  const first = read.max_window_layers ?? FIRST_WINDOW_LAYER
  if (!json.layer_types && first >= read.num_hidden_layers) return [{ window: null, rotary }]
  // Short of a list in the file, so that a config that claims a billion layers costs nothing.
  const layers = Math.min(read.num_hidden_layers, 4096)
  const pattern = Array.from({ length: layers }, (_, i) =>
    i >= first ? ('sliding_attention' as const) : ('full_attention' as const),
  )
  return attentionByType(json, pattern, (type) => ({
    window: type === 'sliding_attention' ? window : null,
    rotary,
  }))
}

export const qwen2: Family = {
  name: 'qwen2',
  architectures: ['Qwen2ForCausalLM'],
  config: (json, generation) => ({
    ...decoderConfig(json, generation, { attention: qwenAttention(json) }),
    mlpBias: false,
    attentionBias: true,
    outputBias: false,
  }),
  tensors: llama.tensors,
}
