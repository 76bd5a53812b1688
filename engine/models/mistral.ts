/** Mistral: Llama whose layers may all look back through a window. */
import type { Family } from './config.ts'
import { decoderConfig, NO_BIASES } from './decoder-keys.ts'
import { slidingWindow } from './layer-types.ts'
import { llama } from './llama.ts'
import { parseRotary } from './rotary-config.ts'

export const mistral: Family = {
  name: 'mistral',
  architectures: ['MistralForCausalLM'],
  config: (json, generation) => ({
    ...decoderConfig(json, generation, {
      attention: [{ window: slidingWindow(json), rotary: parseRotary(json) }],
    }),
    ...NO_BIASES,
  }),
  tensors: llama.tensors,
}
