/** GPT-2: LayerNorm, learned positions, a plain MLP, and weights as [inputs, outputs]. */
import { z } from 'zod'
import { activation, type DecoderConfig, type Family } from './config.ts'
import { headDimOf, PLAIN, specialIds } from './decoder-keys.ts'
import { badKey, flagOr, positiveInteger, positiveNumber, validate } from './validate.ts'

const FILE = 'config.json'
/** So that a config that claims a billion layers costs nothing. */
const MOST_LAYERS = 4096
const schema = z.object({
  n_embd: positiveInteger,
  n_layer: positiveInteger,
  n_head: positiveInteger,
  n_inner: positiveInteger.nullish(),
  n_positions: positiveInteger,
  vocab_size: positiveInteger,
  layer_norm_epsilon: positiveNumber,
  activation_function: activation,
  tie_word_embeddings: flagOr(true),
  scale_attn_weights: flagOr(true),
  scale_attn_by_inverse_layer_idx: flagOr(false),
})

/** Every layer alike, or the scores of layer `i` divided by i + 1. */
function attention(layers: number, isByLayer: boolean): DecoderConfig['attention'] {
  const all = { window: null, rotary: null }
  if (!isByLayer) return [all]
  if (layers > MOST_LAYERS) {
    throw badKey(
      FILE,
      'n_layer',
      layers,
      `at most ${MOST_LAYERS} with scale_attn_by_inverse_layer_idx`,
    )
  }
  const others = Array.from({ length: layers - 1 }, (_, i) => ({ ...all, scale: 1 / (i + 2) }))
  return [all, ...others]
}

export const gpt2: Family = {
  name: 'gpt2',
  architectures: ['GPT2LMHeadModel'],
  config(json, generation) {
    const read = validate(schema, json, FILE)
    const headDim = headDimOf(null, read.n_embd, read.n_head)
    return {
      ...PLAIN,
      hiddenSize: read.n_embd,
      layers: read.n_layer,
      heads: read.n_head,
      kvHeads: read.n_head,
      headDim,
      intermediateSize: read.n_inner ?? 4 * read.n_embd,
      vocabularySize: read.vocab_size,
      contextLength: read.n_positions,
      norm: 'layer',
      normEps: read.layer_norm_epsilon,
      activation: read.activation_function,
      mlp: 'plain',
      attention: attention(read.n_layer, read.scale_attn_by_inverse_layer_idx),
      rotaryDimensions: headDim,
      learnedPositions: true,
      attentionScale: read.scale_attn_weights ? headDim ** -0.5 : 1,
      tiedHead: read.tie_word_embeddings,
      attentionBias: true,
      outputBias: true,
      mlpBias: true,
      ...specialIds(json, generation, read.vocab_size),
    }
  },
  tensors: {
    embedding: 'transformer.wte',
    positions: { path: 'transformer.wpe', tensor: 'transformer.wpe.weight', isStacked: false },
    finalNorm: 'transformer.ln_f',
    head: 'lm_head',
    layer(index) {
      const path = `transformer.h.${index}`
      const qkv = `${path}.attn.c_attn`
      return {
        attentionNorm: `${path}.ln_1`,
        q: qkv,
        k: qkv,
        v: qkv,
        o: `${path}.attn.c_proj`,
        mlpNorm: `${path}.ln_2`,
        up: `${path}.mlp.c_fc`,
        down: `${path}.mlp.c_proj`,
      }
    },
    transposed: true,
    prefix: 'transformer.',
    // The causal mask, as old exports have it.
    ignored: /\.attn\.(bias|masked_bias)$/,
  },
}
