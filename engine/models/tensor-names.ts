/**
 * Names of a checkpoint's tensors by role. A module is a path: its tensors are `${path}.weight`, `${path}.bias`, and, when
 * packed, `${path}.scales` and `${path}.biases`. Roles that have the same path lie in one tensor, their rows one after
 * another in the order of the roles: q, k, v; gate, up.
 */

/** Names of a layer's experts. */
export type ExpertNames =
  | {
      /** Modules of each expert on its own. */
      readonly kind: 'apart'
      expert(index: number): { gate: string; up: string; down: string }
    }
  | {
      /** Tensors of all experts, [experts, inputs, outputs]; gate and up take turns in the outputs. */
      readonly kind: 'stacked'
      readonly gateUp: string
      readonly gateUpBias: string
      readonly down: string
      readonly downBias: string
    }

/** Names of one layer's modules. Which of them there are the config's switches say. */
export interface LayerNames {
  readonly q: string
  readonly k: string
  readonly v: string
  readonly o: string
  readonly attentionNorm?: string
  readonly mlpNorm?: string
  /** Norms of the blocks' outputs. */
  readonly attentionPostNorm?: string
  readonly mlpPostNorm?: string
  readonly qNorm?: string
  readonly kNorm?: string
  /** A whole tensor's name: [heads]. */
  readonly sinks?: string
  readonly gate?: string
  /** The only one of its kind in a plain MLP. */
  readonly up?: string
  readonly down?: string
  readonly router?: string
  readonly experts?: ExpertNames
}

export interface TensorNames {
  readonly embedding: string
  /** Embeddings of positions, where they are learned; `isStacked`: one table in a tensor of three dimensions. */
  readonly positions?: {
    readonly path: string
    readonly tensor: string
    readonly isStacked: boolean
  }
  readonly finalNorm: string
  readonly head: string
  layer(index: number): LayerNames
  /** Weights of layers are [inputs, outputs], as GPT-2's Conv1D has them. */
  readonly transposed?: true
  /** What checkpoints that were saved without the head leave off their names. */
  readonly prefix?: string
  /** Tensors that say nothing. */
  readonly ignored?: RegExp
}

/** `model.` and `model.layers.N.`, as most families have it. */
export const modelNames = (layer: (path: string) => LayerNames): TensorNames => ({
  embedding: 'model.embed_tokens',
  finalNorm: 'model.norm',
  head: 'lm_head',
  layer: (index) => layer(`model.layers.${index}`),
  prefix: 'model.',
})

/** The names as a checkpoint has them that was saved without the model's head. */
export function withoutPrefix(names: TensorNames): TensorNames {
  const { prefix = '', positions } = names
  const strip = (name: string): string =>
    name.startsWith(prefix) ? name.slice(prefix.length) : name
  const all = <T extends object>(of: T): T =>
    Object.fromEntries(
      Object.entries(of).map(([role, name]) => [
        role,
        typeof name === 'string' ? strip(name) : name,
      ]),
    ) as T
  return {
    ...all(names),
    prefix,
    ...(positions ? { positions: all(positions) } : {}),
    layer(index) {
      const layer = all(names.layer(index))
      if (!layer.experts) return layer
      const experts = layer.experts
      if (experts.kind === 'stacked') return { ...layer, experts: all(experts) }
      return { ...layer, experts: { ...experts, expert: (one) => all(experts.expert(one)) } }
    },
  }
}

/** Projections of attention under `self_attn`. */
export const attentionNames = (path: string) => ({
  q: `${path}.self_attn.q_proj`,
  k: `${path}.self_attn.k_proj`,
  v: `${path}.self_attn.v_proj`,
  o: `${path}.self_attn.o_proj`,
})

/** A gated MLP under `mlp`. */
export const mlpNames = (path: string) => ({
  gate: `${path}.mlp.gate_proj`,
  up: `${path}.mlp.up_proj`,
  down: `${path}.mlp.down_proj`,
})

/** A norm before each block. */
export const preNormNames = (path: string) => ({
  attentionNorm: `${path}.input_layernorm`,
  mlpNorm: `${path}.post_attention_layernorm`,
})

/** Norms of queries and keys. */
export const queryKeyNormNames = (path: string) => ({
  qNorm: `${path}.self_attn.q_norm`,
  kNorm: `${path}.self_attn.k_norm`,
})
