/**
 * For tests: writes a small Llama checkpoint of seeded random numbers into a temporary folder, in any mix of number types,
 * whole or in shards, with biases, a head of its own, MLX packing, and a tiny byte-level tokenizer when text is wanted.
 * The values as they can be read back from the files are returned too, for the reference.
 */

import { encodeSafetensors, type FixtureTensor, writeFolder } from '../engine/weights/fixture.ts'
import { formatOf, type SourceRows } from '../kernels/index.ts'
import { byteLevelJson } from '../tokenizer/testing.ts'

type Dtype = 'F32' | 'F16' | 'BF16'

export interface RandomLlamaOptions {
  seed?: number
  hidden?: number
  intermediate?: number
  layers?: number
  heads?: number
  kvHeads?: number
  headDim?: number
  vocabulary?: number
  context?: number
  /** Number type of a tensor, by its name. Default F32. */
  dtype?: (name: string) => Dtype
  biases?: boolean
  tied?: boolean
  /** Packs all matrices as MLX does. */
  affine?: { bits: 4 | 8; group: 32 | 64 | 128 }
  shards?: number
  /** Adds a tokenizer with a chat template; the vocabulary is then its own. */
  text?: boolean
  /** Id that ends an answer. Default: none. */
  eos?: number
}

export type Sizes = Required<
  Pick<
    RandomLlamaOptions,
    | 'hidden'
    | 'intermediate'
    | 'layers'
    | 'heads'
    | 'kvHeads'
    | 'headDim'
    | 'vocabulary'
    | 'context'
    | 'biases'
    | 'tied'
  >
>

export interface RandomLlama {
  readonly folder: string
  readonly sizes: Sizes
  /** Values by tensor name, rounded as the file holds them: [rows][columns]. */
  readonly values: ReadonlyMap<string, Float32Array>
}

/** Tokens of the tokenizer of `text`. */
export const TEXT_VOCABULARY = Object.keys(
  (byteLevelJson().model as { vocab: Record<string, number> }).vocab,
).length

/** Chat template of `text`: ChatML. */
const TEMPLATE =
  "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"

/** Writes the folder; remove it with `removeFolder`. */
export async function writeRandomLlama(options: RandomLlamaOptions = {}): Promise<RandomLlama> {
  const sizes = sizesOf(options)
  const normal = normalNumbers(options.seed ?? 1)
  const values = new Map<string, Float32Array>()
  const tensors: Record<string, FixtureTensor> = {}
  for (const { name, shape, mean, deviation } of tensorList(sizes)) {
    const [rows = 1, columns] = shape.length === 2 ? shape : [1, shape[0]]
    const raw = Float32Array.from(
      { length: rows * (columns ?? 1) },
      () => mean + deviation * normal(),
    )
    const packed = shape.length === 2 ? options.affine : undefined
    const dtype = options.dtype?.(name) ?? 'F32'
    const format = formatOf(
      packed ? `affine${packed.bits}/${packed.group}/${dtype.toLowerCase()}` : dtype.toLowerCase(),
    )
    const encoded = format.encode(raw, rows, columns ?? 1)
    values.set(name, format.decode(encoded, rows, columns ?? 1))
    Object.assign(tensors, toTensors(name, shape, dtype, encoded, packed))
  }
  const files: Record<string, unknown> = {
    'config.json': configOf(sizes, options),
    ...weightFiles(tensors, options.shards ?? 1),
  }
  if (options.text) {
    files['tokenizer.json'] = byteLevelJson()
    files['tokenizer_config.json'] = { chat_template: TEMPLATE, eos_token: '<|im_end|>' }
  }
  return { folder: await writeFolder(files), sizes, values }
}

function sizesOf(options: RandomLlamaOptions): Sizes {
  return {
    hidden: options.hidden ?? 64,
    intermediate: options.intermediate ?? 128,
    layers: options.layers ?? 2,
    heads: options.heads ?? 4,
    kvHeads: options.kvHeads ?? 2,
    headDim: options.headDim ?? 16,
    vocabulary: options.text ? TEXT_VOCABULARY : (options.vocabulary ?? 300),
    context: options.context ?? 256,
    biases: options.biases ?? false,
    tied: options.tied ?? true,
  }
}

interface Wanted {
  name: string
  shape: readonly number[]
  mean: number
  deviation: number
}

/** All tensors of a checkpoint, sized so that activations stay near 1 and logits near 2. */
function tensorList(sizes: Sizes): Wanted[] {
  const { hidden, intermediate, heads, kvHeads, headDim, vocabulary, biases } = sizes
  const matrix = (name: string, rows: number, columns: number): Wanted[] => [
    { name: `${name}.weight`, shape: [rows, columns], mean: 0, deviation: columns ** -0.5 },
    ...(biases ? [{ name: `${name}.bias`, shape: [rows], mean: 0, deviation: 0.1 }] : []),
  ]
  const norm = (name: string): Wanted => ({
    name: `${name}.weight`,
    shape: [hidden],
    mean: 1,
    deviation: 0.1,
  })
  const spread = 2 * hidden ** -0.5
  const list: Wanted[] = [
    { name: 'model.embed_tokens.weight', shape: [vocabulary, hidden], mean: 0, deviation: spread },
    norm('model.norm'),
  ]
  if (!sizes.tied) {
    list.push({ name: 'lm_head.weight', shape: [vocabulary, hidden], mean: 0, deviation: spread })
  }
  for (let i = 0; i < sizes.layers; i++) {
    const path = `model.layers.${i}`
    list.push(norm(`${path}.input_layernorm`), norm(`${path}.post_attention_layernorm`))
    list.push(...matrix(`${path}.self_attn.q_proj`, heads * headDim, hidden))
    list.push(...matrix(`${path}.self_attn.k_proj`, kvHeads * headDim, hidden))
    list.push(...matrix(`${path}.self_attn.v_proj`, kvHeads * headDim, hidden))
    list.push(...matrix(`${path}.self_attn.o_proj`, hidden, heads * headDim))
    list.push(...matrix(`${path}.mlp.gate_proj`, intermediate, hidden))
    list.push(...matrix(`${path}.mlp.up_proj`, intermediate, hidden))
    list.push(...matrix(`${path}.mlp.down_proj`, hidden, intermediate))
  }
  return list
}

function configOf(sizes: Sizes, options: RandomLlamaOptions): Record<string, unknown> {
  const { affine, eos } = options
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_size: sizes.hidden,
    intermediate_size: sizes.intermediate,
    num_hidden_layers: sizes.layers,
    num_attention_heads: sizes.heads,
    num_key_value_heads: sizes.kvHeads,
    head_dim: sizes.headDim,
    vocab_size: sizes.vocabulary,
    max_position_embeddings: sizes.context,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    hidden_act: 'silu',
    tie_word_embeddings: sizes.tied,
    attention_bias: sizes.biases,
    mlp_bias: sizes.biases,
    ...(eos === undefined ? {} : { eos_token_id: eos }),
    ...(affine ? { quantization: { bits: affine.bits, group_size: affine.group } } : {}),
  }
}

function toTensors(
  name: string,
  shape: readonly number[],
  dtype: Dtype,
  { weight, scales, biases }: SourceRows,
  packed: RandomLlamaOptions['affine'],
): Record<string, FixtureTensor> {
  if (!packed || !scales || !biases) return { [name]: { dtype, shape, data: weight } }
  const [rows = 0, columns = 0] = shape
  const module = name.replace(/\.weight$/, '')
  const groups = [rows, columns / packed.group]
  const words = [rows, (columns * packed.bits) / 32]
  return {
    [name]: { dtype: 'U32', shape: words, data: weight },
    [`${module}.scales`]: { dtype, shape: groups, data: scales },
    [`${module}.biases`]: { dtype, shape: groups, data: biases },
  }
}

function weightFiles(
  tensors: Readonly<Record<string, FixtureTensor>>,
  shards: number,
): Record<string, unknown> {
  if (shards === 1) return { 'model.safetensors': encodeSafetensors(tensors) }
  const files: Record<string, unknown> = {}
  const weightMap: Record<string, string> = {}
  for (let shard = 0; shard < shards; shard++) {
    const file = `model-${name5(shard + 1)}-of-${name5(shards)}.safetensors`
    const own = Object.entries(tensors).filter((_, i) => i % shards === shard)
    for (const [name] of own) weightMap[name] = file
    files[file] = encodeSafetensors(Object.fromEntries(own))
  }
  files['model.safetensors.index.json'] = { metadata: {}, weight_map: weightMap }
  return files
}

const name5 = (n: number): string => String(n).padStart(5, '0')

/** Normally distributed numbers (Box and Muller over mulberry32). */
function normalNumbers(seed: number): () => number {
  let state = seed >>> 0
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
}
