/** config.json out of a GGUF's metadata, for the families that the engine has. */
import type { GgufTensor } from '../weights/gguf.ts'
import type { JsonObject, JsonValue } from '../weights/json.ts'
import { type Metadata, refuse, shortest } from './metadata.ts'
import { deriveRotation } from './rotation.ts'
import { plainIds } from './special-ids.ts'

type Json = Record<string, JsonValue>

/** Size of a head. */
export function headDimOf(meta: Metadata): number {
  const shared = meta.needed('embedding_length') / meta.needed('attention.head_count')
  const size = meta.number('attention.key_length')
  // Old files have no key for a head of another size, but turn all of it.
  const turned = meta.architecture === 'llama' ? (meta.number('rope.dimension_count') ?? 0) : 0
  const own = size ?? Math.max(shared, turned)
  const value = meta.number('attention.value_length') ?? own
  if (value === own) return own
  throw refuse(
    meta.source,
    `heads have keys of ${own} and values of ${value}, expected one size. Use another model.`,
  )
}

/** @throws EngineError('model') naming a key that is missing, or that says what the engine does not do */
export async function deriveConfig(meta: Metadata): Promise<JsonObject> {
  if (meta.architecture === 'gpt2') return gpt2Config(meta)
  const { tensors } = meta.source
  const headDim = headDimOf(meta)
  const heads = meta.needed('attention.head_count')
  const has = (name: string) => tensors.has(name)
  const common: Json = {
    attention_bias: has('blk.0.attn_q.bias'),
    attention_dropout: 0,
    ...plainIds(meta),
    head_dim: headDim,
    hidden_act: 'silu',
    hidden_size: meta.needed('embedding_length'),
    initializer_range: 0.02,
    max_position_embeddings: meta.needed('context_length'),
    mlp_bias: has('blk.0.ffn_gate.bias'),
    num_attention_heads: heads,
    num_hidden_layers: meta.needed('block_count'),
    num_key_value_heads: meta.number('attention.head_count_kv') ?? heads,
    rms_norm_eps: shortest(meta.needed('attention.layer_norm_rms_epsilon')),
    ...(await deriveRotation(meta, headDim)),
    tie_word_embeddings: !has('output.weight'),
    torch_dtype: 'float16',
    use_cache: true,
    vocab_size: embedding(meta).shape[0] ?? 0,
  }
  return { ...common, ...OWN[meta.architecture]?.(meta, headDim) }
}

const embedding = (meta: Metadata): GgufTensor => {
  const found = meta.source.tensors.get('token_embd.weight')
  if (found !== undefined) return found
  throw refuse(
    meta.source,
    'has no tensor token_embd.weight. It holds no model: give the file with the weights.',
  )
}

const architecture = (name: string, type: string): Json => ({
  architectures: [`${name}ForCausalLM`],
  model_type: type,
})

const inner = (meta: Metadata): Json => ({ intermediate_size: meta.needed('feed_forward_length') })

/** Where layers do not see everything: tokens that they see, and which layers those are. */
function windows(meta: Metadata, period: number): Json {
  const window = meta.number('attention.sliding_window') ?? 0
  const layers = meta.needed('block_count')
  if (window === 0) return { layer_types: Array(layers).fill('full_attention') }
  const list = meta.list('attention.sliding_window_pattern')
  const every =
    (list === undefined ? meta.number('attention.sliding_window_pattern') : undefined) ?? period
  return {
    sliding_window: window,
    layer_types: Array.from({ length: layers }, (_, i) => {
      const isSliding = list === undefined ? i % every < every - 1 : Boolean(list[i])
      return isSliding ? 'sliding_attention' : 'full_attention'
    }),
  }
}

const experts = (meta: Metadata): Json => ({
  num_local_experts: meta.needed('expert_count'),
  num_experts_per_tok: meta.needed('expert_used_count'),
})

function llama(meta: Metadata): Json {
  const window = meta.number('attention.sliding_window') ?? 0
  if ((meta.number('expert_count') ?? 0) > 0) {
    const sliding = { sliding_window: window === 0 ? null : window }
    return { ...architecture('Mixtral', 'mixtral'), ...inner(meta), ...experts(meta), ...sliding }
  }
  if (window === 0) return { ...architecture('Llama', 'llama'), ...inner(meta) }
  return { ...architecture('Mistral', 'mistral'), ...inner(meta), sliding_window: window }
}

/** Layers of Gemma 2 and 3 with 27B parameters, whose scores are scaled by another size than that of a head. */
const WIDE_GEMMA: Readonly<Record<string, number>> = { gemma2: 46, gemma3: 62 }

function gemma(meta: Metadata, headDim: number): Json {
  const scale = meta.number('attention.scale')
  const isWide = meta.needed('block_count') === WIDE_GEMMA[meta.architecture]
  const shared = meta.needed('embedding_length') / meta.needed('attention.head_count')
  // Six digits are what F32 leaves of it.
  const stated = scale === undefined ? null : Number((scale ** -2).toPrecision(6))
  const scalar = stated ?? (isWide ? shared : headDim)
  return {
    ...inner(meta),
    hidden_activation: 'gelu_pytorch_tanh',
    query_pre_attn_scalar: scalar,
    final_logit_softcapping: meta.decimal('final_logit_softcapping') ?? null,
  }
}

/** What each architecture has besides, or instead. */
const OWN: Readonly<Record<string, (meta: Metadata, headDim: number) => Json>> = {
  llama,
  qwen2: (meta) => ({ ...architecture('Qwen2', 'qwen2'), ...inner(meta) }),
  qwen3: (meta) => ({ ...architecture('Qwen3', 'qwen3'), ...inner(meta) }),
  qwen3moe(meta) {
    const layers = meta.needed('block_count')
    const dense = Array.from({ length: layers }, (_, i) => i).filter(
      (i) => !meta.source.tensors.has(`blk.${i}.ffn_gate_inp.weight`),
    )
    const width = meta.needed('expert_feed_forward_length')
    return {
      ...architecture('Qwen3Moe', 'qwen3_moe'),
      ...experts(meta),
      intermediate_size: meta.number('feed_forward_length') ?? width,
      moe_intermediate_size: width,
      norm_topk_prob: true,
      decoder_sparse_step: 1,
      mlp_only_layers: dense,
    }
  },
  phi3: (meta) => ({
    ...architecture('Phi3', 'phi3'),
    ...inner(meta),
    sliding_window: meta.number('attention.sliding_window') || null,
  }),
  gemma2: (meta, headDim) => ({
    ...architecture('Gemma2', 'gemma2'),
    ...gemma(meta, headDim),
    attn_logit_softcapping: meta.decimal('attn_logit_softcapping') ?? null,
    ...windows(meta, 2),
  }),
  gemma3: (meta, headDim) => ({
    ...architecture('Gemma3', 'gemma3_text'),
    ...gemma(meta, headDim),
    rope_theta: meta.decimal('rope.freq_base') ?? 1_000_000,
    rope_local_base_freq: meta.decimal('rope.freq_base_swa') ?? 10_000,
    ...windows(meta, 6),
  }),
  smollm3: (meta) => ({
    ...architecture('SmolLM3', 'smollm3'),
    ...inner(meta),
    no_rope_layer_interval: 4,
  }),
  granite: (meta) => ({
    ...architecture('Granite', 'granite'),
    ...inner(meta),
    attention_multiplier: meta.decimal('attention.scale') ?? 1,
    embedding_multiplier: meta.decimal('embedding_scale') ?? 1,
    residual_multiplier: meta.decimal('residual_scale') ?? 1,
    logits_scaling: meta.decimal('logit_scale') ?? 1,
  }),
  olmo2(meta) {
    if (meta.number('attention.sliding_window')) {
      throw refuse(meta.source, 'is an OLMo 3 model (with sliding windows), which is not read.')
    }
    return { ...architecture('Olmo2', 'olmo2'), ...inner(meta) }
  },
  'gpt-oss': (meta) => ({
    ...architecture('GptOss', 'gpt_oss'),
    ...experts(meta),
    intermediate_size: meta.needed('expert_feed_forward_length'),
    attention_bias: true,
    ...windows(meta, 2),
  }),
}

function gpt2Config(meta: Metadata): Json {
  return {
    architectures: ['GPT2LMHeadModel'],
    model_type: 'gpt2',
    activation_function: 'gelu_new',
    ...plainIds(meta),
    layer_norm_epsilon: shortest(meta.needed('attention.layer_norm_epsilon')),
    n_embd: meta.needed('embedding_length'),
    n_head: meta.needed('attention.head_count'),
    n_inner: meta.needed('feed_forward_length'),
    n_layer: meta.needed('block_count'),
    n_positions: meta.needed('context_length'),
    tie_word_embeddings: !meta.source.tensors.has('output.weight'),
    torch_dtype: 'float32',
    vocab_size: embedding(meta).shape[0] ?? 0,
  }
}
