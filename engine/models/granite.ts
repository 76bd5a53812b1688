/** Granite 3: Llama with multipliers on embeddings, attention, residuals and logits. */
import { z } from 'zod'
import type { Family } from './config.ts'
import { decoderConfig } from './decoder-keys.ts'
import { llama } from './llama.ts'
import { positiveNumber, validate } from './validate.ts'

const multiplier = positiveNumber.nullish().transform((value) => value ?? 1)
const schema = z.object({
  embedding_multiplier: multiplier,
  attention_multiplier: multiplier,
  residual_multiplier: multiplier,
  logits_scaling: multiplier,
})

export const granite: Family = {
  name: 'granite',
  architectures: ['GraniteForCausalLM'],
  config(json, generation) {
    const read = validate(schema, json, 'config.json')
    return {
      ...decoderConfig(json, generation),
      embeddingScale: read.embedding_multiplier,
      attentionScale: read.attention_multiplier,
      residualScale: read.residual_multiplier,
      logitScale: 1 / read.logits_scaling,
    }
  },
  tensors: llama.tensors,
}
