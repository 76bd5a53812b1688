/** OLMo 2: norms of the blocks' outputs instead of their inputs, and of all queries and all keys together. */
import type { Family } from './config.ts'
import { decoderConfig } from './decoder-keys.ts'
import { attentionNames, mlpNames, modelNames, queryKeyNormNames } from './tensor-names.ts'

export const olmo2: Family = {
  name: 'olmo2',
  architectures: ['Olmo2ForCausalLM'],
  config: (json, generation) => ({
    ...decoderConfig(json, generation),
    mlpBias: false,
    normPlacement: 'after',
    queryKeyNorm: 'all',
  }),
  tensors: modelNames((path) => ({
    attentionPostNorm: `${path}.post_attention_layernorm`,
    mlpPostNorm: `${path}.post_feedforward_layernorm`,
    ...attentionNames(path),
    ...queryKeyNormNames(path),
    ...mlpNames(path),
  })),
}
