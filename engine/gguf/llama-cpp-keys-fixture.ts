/** For tests: the metadata that llama.cpp's conversion writes for a config. */
import { parseRotary } from '../models/rotary-config.ts'
import type { JsonObject } from '../weights/json.ts'

export function headDim(config: JsonObject): number {
  return Number(config.head_dim ?? Number(config.hidden_size) / Number(config.num_attention_heads))
}

type Key = readonly [key: string, type: number, value: unknown]

export function metadataOf(arch: string, config: JsonObject): Key[] {
  const keys: Key[] = [['general.architecture', 8, arch]]
  const add = (type: number, key: string, value: unknown): void => {
    if (value !== undefined && value !== null) keys.push([`${arch}.${key}`, type, value])
  }
  const count = (key: string, value: unknown) => add(4, key, value)
  const real = (key: string, value: unknown) => add(6, key, value)
  count('block_count', config.num_hidden_layers ?? config.n_layer)
  count('context_length', config.max_position_embeddings ?? config.n_positions)
  count('embedding_length', config.hidden_size ?? config.n_embd)
  count('feed_forward_length', config.intermediate_size ?? 4 * Number(config.n_embd))
  count('attention.head_count', config.num_attention_heads ?? config.n_head)
  count('attention.head_count_kv', config.num_key_value_heads)
  count('attention.key_length', config.head_dim)
  count('attention.value_length', config.head_dim)
  real('attention.layer_norm_rms_epsilon', config.rms_norm_eps)
  real('attention.layer_norm_epsilon', config.layer_norm_epsilon)
  count('attention.sliding_window', config.sliding_window)
  count('expert_count', config.num_local_experts)
  count('expert_used_count', config.num_experts_per_tok)
  count(
    'expert_feed_forward_length',
    config.moe_intermediate_size ?? (arch === 'gpt-oss' ? config.intermediate_size : null),
  )
  real('attn_logit_softcapping', config.attn_logit_softcapping)
  real('final_logit_softcapping', config.final_logit_softcapping)
  real('embedding_scale', config.embedding_multiplier)
  real('residual_scale', config.residual_multiplier)
  real('logit_scale', config.logits_scaling)
  // llama.cpp has the key, but writes it for Granite only.
  const scalar = config.query_pre_attn_scalar
  real('attention.scale', config.attention_multiplier ?? (scalar ? Number(scalar) ** -0.5 : null))
  rotationKeys(arch, config, { count, real, text: (key, value) => add(8, key, value) })
  return keys
}

function rotationKeys(
  arch: string,
  config: JsonObject,
  { count, real, text }: Record<'count' | 'real' | 'text', (key: string, value: unknown) => void>,
): void {
  if (arch === 'gpt2') return
  const rotary = parseRotary(config, arch === 'gemma3' ? 'full_attention' : undefined)
  const share = Number(config.partial_rotary_factor ?? 1)
  count('rope.dimension_count', headDim(config) * share)
  real('rope.freq_base', rotary.theta)
  if (arch === 'gemma3') real('rope.freq_base_swa', parseRotary(config, 'sliding_attention').theta)
  if (rotary.kind === 'linear' || rotary.kind === 'yarn' || rotary.kind === 'longrope') {
    text('rope.scaling.type', rotary.kind)
  }
  if ('factor' in rotary && rotary.kind !== 'llama3') real('rope.scaling.factor', rotary.factor)
  if (rotary.kind === 'longrope') real('rope.scaling.attn_factor', rotary.attentionFactor)
  if (rotary.kind !== 'yarn' && rotary.kind !== 'longrope') return
  count('rope.scaling.original_context_length', rotary.originalContextLength)
}

/** A vocabulary of single bytes. */
export function vocabulary(config: JsonObject): Key[] {
  const tokens = Array.from({ length: Number(config.vocab_size) }, (_, id) => `t${id}`)
  return [
    ['tokenizer.ggml.model', 8, 'gpt2'],
    ['tokenizer.ggml.pre', 8, 'gpt-2'],
    ['tokenizer.ggml.tokens', 9, { of: 8, items: tokens }],
    ['tokenizer.ggml.token_type', 9, { of: 5, items: tokens.map((_, id) => (id < 3 ? 3 : 1)) }],
    ['tokenizer.ggml.merges', 9, { of: 8, items: [] }],
    ['tokenizer.ggml.bos_token_id', 4, 1],
    ['tokenizer.ggml.eos_token_id', 4, 2],
    ['tokenizer.ggml.padding_token_id', 4, 0],
  ]
}
