/** Llama and what shares its architecture (SmolLM2, TinyLlama, Yi, …). */
import type { Family } from './config.ts'
import { decoderConfig } from './decoder-keys.ts'
import { attentionNames, mlpNames, modelNames, preNormNames } from './tensor-names.ts'

export const llama: Family = {
  name: 'llama',
  architectures: ['LlamaForCausalLM'],
  config: decoderConfig,
  tensors: modelNames((path) => ({
    ...preNormNames(path),
    ...attentionNames(path),
    ...mlpNames(path),
  })),
}
