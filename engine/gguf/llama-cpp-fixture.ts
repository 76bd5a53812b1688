/** For tests: a checkpoint as llama.cpp's convert_hf_to_gguf.py writes it, by a conversion of its own. */
import { formatOf } from '../../kernels/index.ts'
import { rotaryTable } from '../models/rotary.ts'
import { parseRotary } from '../models/rotary-config.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import type { FixtureGguf, FixtureGgufTensor } from '../weights/gguf-fixture.ts'
import type { JsonObject } from '../weights/json.ts'
import { headDim, metadataOf, vocabulary } from './llama-cpp-keys-fixture.ts'

const ARCHITECTURES: Readonly<Record<string, string>> = {
  ...{ LlamaForCausalLM: 'llama', MistralForCausalLM: 'llama', MixtralForCausalLM: 'llama' },
  ...{ Qwen2ForCausalLM: 'qwen2', Qwen3ForCausalLM: 'qwen3', Qwen3MoeForCausalLM: 'qwen3moe' },
  ...{ Phi3ForCausalLM: 'phi3', Gemma2ForCausalLM: 'gemma2', Gemma3ForCausalLM: 'gemma3' },
  ...{ SmolLM3ForCausalLM: 'smollm3', GraniteForCausalLM: 'granite', Olmo2ForCausalLM: 'olmo2' },
  ...{ GPT2LMHeadModel: 'gpt2', GptOssForCausalLM: 'gpt-oss' },
}
const MODULES: readonly (readonly [RegExp, string])[] = [
  [/^(model\.embed_tokens|transformer\.wte)$/, 'token_embd'],
  [/^transformer\.wpe$/, 'position_embd'],
  [/^(model\.norm|transformer\.ln_f)$/, 'output_norm'],
  [/^lm_head$/, 'output'],
  [/\.(self_attn\.o_proj|attn\.c_proj)$/, 'attn_output'],
  [/\.self_attn\.(q|k|v)_proj$/, 'attn_$1'],
  [/\.(self_attn\.qkv_proj|attn\.c_attn)$/, 'attn_qkv'],
  [/\.self_attn\.(q|k)_norm$/, 'attn_$1_norm'],
  [/\.self_attn\.sinks$/, 'attn_sinks.weight'],
  [/\.(input_layernorm|ln_1)$/, 'attn_norm'],
  [/\.(pre_feedforward_layernorm|ln_2)$/, 'ffn_norm'],
  [/\.post_feedforward_layernorm$/, 'post_ffw_norm'],
  [/\.(mlp|block_sparse_moe)\.(gate|router)$/, 'ffn_gate_inp'],
  [/\.mlp\.(gate|down)_proj$/, 'ffn_$1'],
  [/\.mlp\.(up_proj|gate_up_proj|c_fc)$/, 'ffn_up'],
  [/\.mlp\.c_proj$/, 'ffn_down'],
]
const EXPERT_PARTS: Readonly<Record<string, string>> = {
  ...{ w1: 'gate', w3: 'up', w2: 'down' },
  ...{ gate_proj: 'gate', up_proj: 'up', down_proj: 'down' },
}

interface Values {
  /** Outermost first. */
  readonly shape: readonly number[]
  readonly data: Float32Array
}

/** A quantized form of some rows, or null: F32. */
export type Encode = (
  name: string,
  values: Float32Array,
) => { type: number; data: Uint8Array } | null

/** @returns what `encodeGguf` takes */
export async function asGguf(
  checkpoint: Checkpoint,
  encode: Encode = () => null,
): Promise<FixtureGguf> {
  const { config } = checkpoint
  const arch = ARCHITECTURES[String((config.architectures as string[])[0])] ?? ''
  const all = new Map<string, Values>()
  const experts = new Map<string, Values[]>()
  for (const name of checkpoint.names()) {
    const values = await valuesOf(checkpoint, name)
    const [, layer, index, part = ''] =
      /layers\.(\d+)\..*experts\.(\d+)\.(\w+)\.weight$/.exec(name) ?? []
    if (layer === undefined) convert(arch, config, name, values, all)
    else {
      const key = `blk.${layer}.ffn_${EXPERT_PARTS[part]}_exps.weight`
      const own = experts.get(key) ?? []
      own[Number(index)] = values
      experts.set(key, own)
    }
  }
  for (const [name, own] of experts) all.set(name, stack(own))
  for (const [name, data] of rotationTensors(arch, config)) all.set(name, data)
  const tensors = [...all].map(([name, { shape, data }]): FixtureGgufTensor => {
    const packed = shape.length > 1 ? encode(name, data) : null
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    return { name, shape: [...shape].reverse(), ...(packed ?? { type: 0, data: bytes }) }
  })
  return { tensors, metadata: [...metadataOf(arch, config), ...vocabulary(config)] }
}

async function valuesOf(checkpoint: Checkpoint, name: string): Promise<Values> {
  const { dtype, shape } = checkpoint.info(name)
  const weight = await checkpoint.readAll(name)
  const count = shape.reduce((a, b) => a * b, 1)
  return { shape, data: formatOf(dtype.toLowerCase()).decode({ weight }, 1, count) }
}

const stack = (all: readonly Values[]): Values => ({
  shape: [all.length, ...(all[0]?.shape ?? [])],
  data: Float32Array.from(all.flatMap(({ data }) => Array.from(data))),
})

const isAfter = (arch: string): boolean =>
  arch.startsWith('gemma') || arch === 'olmo2' || arch === 'gpt-oss'

function convert(
  arch: string,
  config: JsonObject,
  name: string,
  values: Values,
  into: Map<string, Values>,
): void {
  const [, layer] = /\.(?:layers|h)\.(\d+)\./.exec(name) ?? []
  const prefix = layer === undefined ? '' : `blk.${layer}.`
  const [, fused, bias] = /experts\.(gate_up|down)_proj(_bias)?$/.exec(name) ?? []
  if (fused !== undefined) {
    const kind = bias ? 'bias' : 'weight'
    const whole = bias ? values : swapped(values)
    const parts = fused === 'down' ? { down: whole } : turns(whole)
    for (const [part, own] of Object.entries(parts))
      into.set(`${prefix}ffn_${part}_exps.${kind}`, own)
    return
  }
  const [, module = name, kind = ''] = /^(.*)\.(weight|bias)$/.exec(name) ?? []
  const post = isAfter(arch) ? 'post_attention_norm' : 'ffn_norm'
  const found = [...MODULES, [/\.post_attention_layernorm$/, post] as const].find(([from]) =>
    from.test(module),
  )
  if (!found) throw new Error(`no name for ${name}`)
  const [own = ''] = found[0].exec(module) ?? []
  const part = own.replace(found[0], found[1])
  const isPermuted = ['llama', 'granite', 'smollm3'].includes(arch) && /^attn_[qk]$/.test(part)
  const isConv = arch === 'gpt2' && layer !== undefined && values.shape.length === 2
  let data = isPermuted ? permuted(values, headDim(config)) : isConv ? swapped(values) : values
  if (arch.startsWith('gemma') && part.endsWith('norm')) {
    data = { ...data, data: data.data.map((value) => value + 1) }
  }
  into.set(`${prefix}${part}${kind ? `.${kind}` : ''}`, data)
}

/** reshape(heads, 2, half, …).swapaxes(1, 2) */
function permuted({ shape, data }: Values, size: number): Values {
  const width = data.length / (shape[0] ?? 1)
  const out = new Float32Array(data.length)
  for (let row = 0; row < (shape[0] ?? 0); row++) {
    const [head, within] = [Math.floor(row / size), row % size]
    const to = head * size + (within % (size / 2)) * 2 + Math.floor(within / (size / 2))
    out.set(data.subarray(row * width, (row + 1) * width), to * width)
  }
  return { shape, data: out }
}

/** transpose(-1, -2) */
function swapped({ shape, data }: Values): Values {
  const [rows = 0, columns = 0] = shape.slice(-2)
  const size = rows * columns
  const out = Float32Array.from({ length: data.length }, (_, i) => {
    const at = i % size
    return data[i - at + (at % rows) * columns + Math.floor(at / rows)] ?? Number.NaN
  })
  return { shape: [...shape.slice(0, -2), columns, rows], data: out }
}

/** [:, ::2], [:, 1::2] of the second dimension. */
function turns({ shape, data }: Values): { gate: Values; up: Values } {
  const [experts = 0, rows = 0, ...rest] = shape
  const width = rest[0] ?? 1
  const every = (from: number): Values => ({
    shape: [experts, rows / 2, ...rest],
    data: data.filter((_, i) => Math.floor(i / width) % 2 === from),
  })
  return { gate: every(0), up: every(1) }
}

function rotationTensors(arch: string, config: JsonObject): [string, Values][] {
  if (arch === 'gpt2' || arch === 'gemma3') return []
  const rotary = parseRotary(config)
  const vector = (name: string, all: readonly number[]): [string, Values] => [
    `${name}.weight`,
    { shape: [all.length], data: Float32Array.from(all) },
  ]
  if (rotary.kind === 'longrope') {
    return [
      vector('rope_factors_short', rotary.shortFactors),
      vector('rope_factors_long', rotary.longFactors),
    ]
  }
  if (rotary.kind !== 'llama3') return []
  const size = headDim(config)
  const plain = rotaryTable({ kind: 'default', theta: rotary.theta }, size).inverseFrequencies
  const scaled = rotaryTable(rotary, size).inverseFrequencies
  return [
    vector(
      'rope_freqs',
      Array.from(plain, (value, i) => value / (scaled[i] ?? 1)),
    ),
  ]
}
