/** `illuminator-4.9b`: Llama's block with neighbours turned together, a scaled embedding, and names of its own. */
import { z } from 'zod'
import type { Family } from './config.ts'
import { decoderConfig } from './decoder-keys.ts'
import { flagOr, positiveNumber, validate } from './validate.ts'

const schema = z.object({
  rope_interleaved: flagOr(true),
  embedding_multiplier: positiveNumber.nullish(),
})

export const illuminator: Family = {
  name: 'illuminator',
  architectures: ['IlluminatorForCausalLM'],
  config(json, generation) {
    const read = validate(schema, json, 'config.json')
    const config = decoderConfig(json, generation, { isTied: true })
    return {
      ...config,
      rotaryPairs: read.rope_interleaved ? 'neighbours' : 'halves',
      embeddingScale: read.embedding_multiplier ?? Math.sqrt(config.hiddenSize),
    }
  },
  tensors: {
    embedding: 'token_embedding',
    finalNorm: 'final_norm',
    head: 'output_projection',
    layer(index) {
      const path = `transformer_blocks.${index}`
      return {
        attentionNorm: `${path}.norm1`,
        q: `${path}.attention.w_q`,
        k: `${path}.attention.w_k`,
        v: `${path}.attention.w_v`,
        o: `${path}.attention.w_o`,
        mlpNorm: `${path}.norm2`,
        gate: `${path}.feed_forward.w1`,
        up: `${path}.feed_forward.w3`,
        down: `${path}.feed_forward.w2`,
      }
    },
    // Frequencies, which `rope_theta` stands for.
    ignored: /\.attention\.rope\.inv_freq$/,
  },
}
