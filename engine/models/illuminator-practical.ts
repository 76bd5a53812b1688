/** `illuminator-practical`: GPT-2's block with weights as [outputs, inputs] and names of its own. */
import { z } from 'zod'
import { activation, type Family } from './config.ts'
import { headDimOf, PLAIN, specialIds } from './decoder-keys.ts'
import { flagOr, positiveInteger, positiveNumber, validate } from './validate.ts'

const schema = z.object({
  hidden_size: positiveInteger,
  num_hidden_layers: positiveInteger,
  num_attention_heads: positiveInteger,
  intermediate_size: positiveInteger,
  vocab_size: positiveInteger,
  max_position_embeddings: positiveInteger,
  layer_norm_eps: positiveNumber,
  hidden_act: activation,
  attention_bias: flagOr(true),
  mlp_bias: flagOr(true),
  tie_word_embeddings: flagOr(true),
})

export const illuminatorPractical: Family = {
  name: 'illuminator-practical',
  architectures: ['IlluminatorPracticalForCausalLM'],
  config(json, generation) {
    const read = validate(schema, json, 'config.json')
    const headDim = headDimOf(null, read.hidden_size, read.num_attention_heads)
    return {
      ...PLAIN,
      hiddenSize: read.hidden_size,
      layers: read.num_hidden_layers,
      heads: read.num_attention_heads,
      kvHeads: read.num_attention_heads,
      headDim,
      intermediateSize: read.intermediate_size,
      vocabularySize: read.vocab_size,
      contextLength: read.max_position_embeddings,
      norm: 'layer',
      normEps: read.layer_norm_eps,
      activation: read.hidden_act,
      mlp: 'plain',
      attention: [{ window: null, rotary: null }],
      rotaryDimensions: headDim,
      learnedPositions: true,
      attentionScale: headDim ** -0.5,
      tiedHead: read.tie_word_embeddings,
      attentionBias: read.attention_bias,
      outputBias: read.attention_bias,
      mlpBias: read.mlp_bias,
      ...specialIds(json, generation, read.vocab_size),
    }
  },
  tensors: {
    embedding: 'token_embedding',
    positions: { path: 'position_encoding', tensor: 'position_encoding.pe', isStacked: true },
    finalNorm: 'layer_norm',
    head: 'output_projection',
    layer(index) {
      const path = `transformer_blocks.${index}`
      const qkv = `${path}.attention.w_qkv`
      return {
        attentionNorm: `${path}.norm1`,
        q: qkv,
        k: qkv,
        v: qkv,
        o: `${path}.attention.w_o`,
        mlpNorm: `${path}.norm2`,
        up: `${path}.feed_forward.linear1`,
        down: `${path}.feed_forward.linear2`,
      }
    },
  },
}
