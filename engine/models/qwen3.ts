/** Qwen3: Llama with an RMS norm over each head of queries and keys. */
import type { Family } from './config.ts'
import { decoderConfig } from './decoder-keys.ts'
import { qwenAttention } from './qwen2.ts'
import {
  attentionNames,
  mlpNames,
  modelNames,
  preNormNames,
  queryKeyNormNames,
} from './tensor-names.ts'

export const qwen3: Family = {
  name: 'qwen3',
  architectures: ['Qwen3ForCausalLM'],
  config: (json, generation) => ({
    ...decoderConfig(json, generation, { attention: qwenAttention(json) }),
    mlpBias: false,
    queryKeyNorm: 'head',
  }),
  tensors: modelNames((path) => ({
    ...preNormNames(path),
    ...attentionNames(path),
    ...queryKeyNormNames(path),
    ...mlpNames(path),
  })),
}
