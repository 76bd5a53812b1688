/**
 * What llama.cpp calls the parts of each architecture (`blk.N.attn_q`), and what Hugging Face calls them. llama.cpp's own
 * changes to the weights are noted here, to be undone. (Source: conversion/ and gguf-py of llama.cpp.)
 */
import { show } from '../weights/json.ts'
import { type Metadata, refuse } from './metadata.ts'

/** Where experts are kept: a module each, or all of a kind in one tensor, as gpt-oss has them. */
export type ExpertPaths =
  | { readonly kind: 'apart'; path(layer: string, index: number, part: ExpertPart): string }
  | { readonly kind: 'stacked' }
export type ExpertPart = 'gate' | 'up' | 'down'

export interface Architecture {
  /** Prefix of a layer's modules. */
  layer(index: string): string
  /** Modules outside of the layers. */
  readonly top: Readonly<Record<string, string>>
  /** Modules of a layer, without its prefix. */
  readonly parts: Readonly<Record<string, string>>
  readonly experts: ExpertPaths | null
  /** llama.cpp stores the halves of each head of q and k in turns. */
  readonly isInterleaved: boolean
  /** Hugging Face stores weights of layers as [inputs, outputs]. */
  readonly isTransposed: boolean
  /** llama.cpp adds 1 to the weights of norms. */
  readonly isNormShifted: boolean
}

const attention = {
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
}
const mlp = { ffn_gate: 'mlp.gate_proj', ffn_up: 'mlp.up_proj', ffn_down: 'mlp.down_proj' }
const normsBefore = { attn_norm: 'input_layernorm', ffn_norm: 'post_attention_layernorm' }
const headNorms = { attn_q_norm: 'self_attn.q_norm', attn_k_norm: 'self_attn.k_norm' }

const PLAIN: Omit<Architecture, 'parts'> = {
  layer: (index) => `model.layers.${index}`,
  top: { token_embd: 'model.embed_tokens', output_norm: 'model.norm', output: 'lm_head' },
  experts: null,
  isInterleaved: false,
  isTransposed: false,
  isNormShifted: false,
}

const MIXTRAL_PARTS = { gate: 'w1', up: 'w3', down: 'w2' }

const llama: Architecture = {
  ...PLAIN,
  parts: { ...attention, ...mlp, ...normsBefore, ffn_gate_inp: 'block_sparse_moe.gate' },
  experts: {
    kind: 'apart',
    path: (layer, index, part) =>
      `${layer}.block_sparse_moe.experts.${index}.${MIXTRAL_PARTS[part]}`,
  },
  isInterleaved: true,
}

const qwen2: Architecture = { ...PLAIN, parts: { ...attention, ...mlp, ...normsBefore } }
const qwen3: Architecture = { ...qwen2, parts: { ...qwen2.parts, ...headNorms } }

const gemma2: Architecture = {
  ...PLAIN,
  parts: {
    ...attention,
    ...mlp,
    attn_norm: 'input_layernorm',
    post_attention_norm: 'post_attention_layernorm',
    ffn_norm: 'pre_feedforward_layernorm',
    post_ffw_norm: 'post_feedforward_layernorm',
  },
  isNormShifted: true,
}

/** By `general.architecture`. */
const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  llama,
  granite: { ...llama, experts: null },
  smollm3: { ...llama, experts: null },
  qwen2,
  qwen3,
  qwen3moe: {
    ...qwen3,
    parts: { ...qwen3.parts, ffn_gate_inp: 'mlp.gate' },
    experts: {
      kind: 'apart',
      path: (layer, index, part) => `${layer}.mlp.experts.${index}.${part}_proj`,
    },
  },
  olmo2: {
    ...PLAIN,
    parts: {
      ...attention,
      ...mlp,
      ...headNorms,
      post_attention_norm: 'post_attention_layernorm',
      post_ffw_norm: 'post_feedforward_layernorm',
    },
  },
  phi3: {
    ...PLAIN,
    parts: {
      ...normsBefore,
      attn_qkv: 'self_attn.qkv_proj',
      attn_output: 'self_attn.o_proj',
      ffn_up: 'mlp.gate_up_proj',
      ffn_down: 'mlp.down_proj',
    },
  },
  gemma2,
  gemma3: { ...gemma2, parts: { ...gemma2.parts, ...headNorms } },
  gpt2: {
    ...PLAIN,
    layer: (index) => `transformer.h.${index}`,
    top: {
      token_embd: 'transformer.wte',
      position_embd: 'transformer.wpe',
      output_norm: 'transformer.ln_f',
      output: 'lm_head',
    },
    parts: {
      attn_norm: 'ln_1',
      attn_qkv: 'attn.c_attn',
      attn_output: 'attn.c_proj',
      ffn_norm: 'ln_2',
      ffn_up: 'mlp.c_fc',
      ffn_down: 'mlp.c_proj',
    },
    isTransposed: true,
  },
  'gpt-oss': {
    ...PLAIN,
    parts: {
      ...attention,
      attn_norm: 'input_layernorm',
      post_attention_norm: 'post_attention_layernorm',
      attn_sinks: 'self_attn.sinks',
      ffn_gate_inp: 'mlp.router',
    },
    experts: { kind: 'stacked' },
  },
}

/** @throws EngineError('model') naming an architecture that is not read, and those that are */
export function architectureOf({ source, architecture }: Metadata): Architecture {
  const found = ARCHITECTURES[architecture]
  if (found !== undefined && Object.hasOwn(ARCHITECTURES, architecture)) return found
  throw refuse(
    source,
    `is a ${show(architecture)} model, which is not read; read are ${Object.keys(ARCHITECTURES).join(', ')}.`,
  )
}
