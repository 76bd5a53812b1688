/** config.json and generation_config.json out of the metadata of a llama GGUF. */
import { EngineError } from '../errors.ts'
import type { GgufFile, GgufValue } from '../weights/gguf.ts'
import { GROUP_SIZE, quantizedBits } from './gguf-weights.ts'

/** What the conversion needs to know of the model, besides the files. */
export interface GgufConfig {
  config: Record<string, unknown>
  generation: Record<string, unknown>
  layers: number
  headDim: number
}

/**
 * Reads a llama GGUF's metadata.
 *
 * @param tensorName the Hugging Face name (without `.weight`) of a tensor, for its own entry under `quantization`
 * @throws EngineError('model') for another architecture, a missing key, or rope scaling (which GGUF bakes in)
 */
export function deriveConfig(
  file: GgufFile,
  tensorName: (name: string) => string | undefined,
): GgufConfig {
  const architecture = file.metadata.get('general.architecture')
  if (architecture !== 'llama') {
    throw refuse(file, `is a ${JSON.stringify(architecture ?? null)} model, expected "llama"`)
  }
  const scaling = file.metadata.get('llama.rope.scaling.type')
  if (file.tensors.has('rope_freqs.weight') || (scaling !== undefined && scaling !== 'none')) {
    throw refuse(file, 'has scaled rotations, which its metadata does not describe in full')
  }
  const get = (key: string) => number(file, `llama.${key}`)
  const hidden = get('embedding_length')
  const heads = get('attention.head_count')
  const headDim = optional(file, 'llama.rope.dimension_count') ?? hidden / heads
  const layers = get('block_count')
  const vocabulary = file.tensor('token_embd.weight').shape[0] ?? 0
  const ids = specialIds(file)
  return {
    layers,
    headDim,
    generation: { _from_model_config: true, ...ids },
    config: {
      architectures: ['LlamaForCausalLM'],
      attention_bias: false,
      attention_dropout: 0,
      ...ids,
      head_dim: headDim,
      hidden_act: 'silu',
      hidden_size: hidden,
      initializer_range: 0.02,
      intermediate_size: get('feed_forward_length'),
      max_position_embeddings: get('context_length'),
      mlp_bias: false,
      model_type: 'llama',
      num_attention_heads: heads,
      num_hidden_layers: layers,
      num_key_value_heads: optional(file, 'llama.attention.head_count_kv') ?? heads,
      rms_norm_eps: shortest(get('attention.layer_norm_rms_epsilon')),
      rope_scaling: null,
      rope_theta: shortest(optional(file, 'llama.rope.freq_base') ?? 10_000),
      tie_word_embeddings: !file.tensors.has('output.weight'),
      torch_dtype: 'float16',
      use_cache: true,
      vocab_size: vocabulary,
      ...quantization(file, tensorName),
    },
  }
}

/** The most frequent width for all, and an entry for each tensor of another. Empty for a file without any. */
function quantization(file: GgufFile, tensorName: (name: string) => string | undefined) {
  const matrices = [...file.tensors.values()].flatMap((tensor) => {
    const bits = quantizedBits(tensor)
    return bits === null ? [] : [{ name: tensorName(tensor.name) ?? tensor.name, bits }]
  })
  if (matrices.length === 0) return {}
  const fours = matrices.filter((each) => each.bits === 4).length
  const bits = 2 * fours >= matrices.length ? 4 : 8
  const others = matrices.filter((each) => each.bits !== bits)
  const settings: Record<string, unknown> = { group_size: GROUP_SIZE, bits }
  for (const each of others) settings[each.name] = { group_size: GROUP_SIZE, bits: each.bits }
  return { quantization: settings, quantization_config: settings }
}

function specialIds(file: GgufFile): Record<string, number> {
  const ids: Record<string, number> = {}
  for (const [name, key] of Object.entries({
    bos_token_id: 'bos_token_id',
    eos_token_id: 'eos_token_id',
    pad_token_id: 'padding_token_id',
  })) {
    const id = optional(file, `tokenizer.ggml.${key}`)
    if (id !== undefined) ids[name] = id
  }
  return ids
}

function optional(file: GgufFile, key: string): number | undefined {
  const value: GgufValue | undefined = file.metadata.get(key)
  return typeof value === 'number' ? value : undefined
}

function number(file: GgufFile, key: string): number {
  const value = optional(file, key)
  if (value !== undefined) return value
  throw refuse(file, `has no number under ${key}`)
}

/** The shortest decimal that is this number in F32: 1e-5, not 9.999999747378752e-6. */
function shortest(value: number): number {
  for (let digits = 1; digits <= 9; digits++) {
    const candidate = Number(value.toPrecision(digits))
    if (Math.fround(candidate) === Math.fround(value)) return candidate
  }
  return value
}

function refuse(file: GgufFile, reason: string): EngineError {
  return new EngineError(
    'model',
    `${file.path} ${reason}, so it cannot be turned into a safetensors folder. Use the safetensors form of the model.`,
  )
}
