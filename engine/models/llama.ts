/**
 * Llama and what shares its architecture (SmolLM2, TinyLlama, Yi, …): `LlamaForCausalLM`. Sizes have no defaults: a
 * config that leaves them out is broken, and guessing would surface as wrong shapes or, worse, as wrong text.
 */
import { z } from 'zod'
import type { JsonObject } from '../weights/json.ts'
import { activation, type DecoderConfig, type Family } from './config.ts'
import { parseRotary } from './rotary.ts'
import { badKey, flag, positiveInteger, positiveNumber, tokenIds, validate } from './validate.ts'

const FILE = 'config.json'

const schema = z.object({
  hidden_size: positiveInteger,
  num_hidden_layers: positiveInteger,
  num_attention_heads: positiveInteger,
  num_key_value_heads: positiveInteger.nullish(),
  head_dim: positiveInteger.nullish(),
  intermediate_size: positiveInteger,
  vocab_size: positiveInteger,
  max_position_embeddings: positiveInteger,
  rms_norm_eps: positiveNumber,
  hidden_act: activation,
  tie_word_embeddings: flag,
  attention_bias: flag,
  mlp_bias: flag,
  bos_token_id: tokenIds,
  eos_token_id: tokenIds,
})
const generationSchema = z.object({ bos_token_id: tokenIds, eos_token_id: tokenIds })

function config(json: JsonObject, generation: JsonObject): DecoderConfig {
  const read = validate(schema, json, FILE)
  const ids = validate(generationSchema, generation, 'generation_config.json')
  const heads = read.num_attention_heads
  const kvHeads = read.num_key_value_heads ?? heads
  if (heads % kvHeads !== 0) {
    throw badKey(FILE, 'num_key_value_heads', kvHeads, `a divisor of num_attention_heads, ${heads}`)
  }
  const vocabularySize = read.vocab_size
  return {
    hiddenSize: read.hidden_size,
    layers: read.num_hidden_layers,
    heads,
    kvHeads,
    headDim: headDim(read.head_dim ?? null, read.hidden_size, heads),
    intermediateSize: read.intermediate_size,
    vocabularySize,
    contextLength: read.max_position_embeddings,
    normEps: read.rms_norm_eps,
    activation: read.hidden_act,
    rotary: parseRotary(json),
    tiedHead: read.tie_word_embeddings,
    // One key for all four projections: LlamaAttention gives o_proj the bias too.
    attentionBias: read.attention_bias,
    outputBias: read.attention_bias,
    mlpBias: read.mlp_bias,
    bosIds: merge('bos_token_id', ids.bos_token_id, read.bos_token_id, vocabularySize),
    eosIds: merge('eos_token_id', ids.eos_token_id, read.eos_token_id, vocabularySize),
  }
}

/** The stated size of a head, or the hidden size shared out; even, since rotation turns pairs. */
function headDim(stated: number | null, hiddenSize: number, heads: number): number {
  if (stated === null && hiddenSize % heads !== 0) {
    const expected = `a divisor of hidden_size, ${hiddenSize}, or head_dim beside it`
    throw badKey(FILE, 'num_attention_heads', heads, expected)
  }
  const size = stated ?? hiddenSize / heads
  if (size % 2 !== 0) {
    const key = stated === null ? 'hidden_size / num_attention_heads' : 'head_dim'
    throw badKey(FILE, key, size, 'an even number, for rotation')
  }
  return size
}

/** Both lists without repeats; an id that the vocabulary does not have would be read out of bounds. */
function merge(key: string, generation: number[], own: number[], vocabularySize: number): number[] {
  for (const [file, ids] of Object.entries({ 'generation_config.json': generation, [FILE]: own })) {
    const beyond = ids.find((id) => id >= vocabularySize)
    if (beyond !== undefined) throw badKey(file, key, beyond, `below vocab_size, ${vocabularySize}`)
  }
  return [...new Set([...generation, ...own])]
}

export const llama: Family = {
  name: 'llama',
  architectures: ['LlamaForCausalLM'],
  config,
  tensors: {
    embedding: 'model.embed_tokens',
    finalNorm: 'model.norm',
    head: 'lm_head',
    layer(index) {
      const path = `model.layers.${index}`
      return {
        attentionNorm: `${path}.input_layernorm`,
        q: `${path}.self_attn.q_proj`,
        k: `${path}.self_attn.k_proj`,
        v: `${path}.self_attn.v_proj`,
        o: `${path}.self_attn.o_proj`,
        mlpNorm: `${path}.post_attention_layernorm`,
        gate: `${path}.mlp.gate_proj`,
        up: `${path}.mlp.up_proj`,
        down: `${path}.mlp.down_proj`,
      }
    },
  },
}
