/** What becomes of each tensor of a GGUF: which module it is, which rows, in which order. */
import type { GgufTensor } from '../weights/gguf.ts'
import { show } from '../weights/json.ts'
import type { ShardItem } from '../weights/shard-writer.ts'
import type { Architecture, ExpertPart } from './architectures.ts'
import { headDimOf } from './config.ts'
import type { MatrixOutput } from './matrix-output.ts'
import { type Metadata, refuse } from './metadata.ts'
import { stackedBias, stackedItem, tableItem, transposedItem, vectorItem } from './plain-output.ts'
import { ROTATION_TENSORS } from './rotation.ts'

export interface Outputs {
  readonly matrices: readonly MatrixOutput[]
  /** Tensors of plain numbers. */
  readonly plain: readonly ShardItem[]
}

/** Rows of one stored tensor that make a module of their own. */
interface Slice {
  readonly path: string
  readonly first: number
  readonly rows: number
  readonly headDim: number | null
  readonly together: string | null
}

/** A tensor of a layer, its name taken apart. */
interface LayerTensor {
  readonly tensor: GgufTensor
  readonly layer: string
  readonly part: string
  /** Number of the expert, in files that keep each apart. */
  readonly expert: number | null
  readonly kind: 'weight' | 'bias'
}

const LAYER_TENSOR = /^blk\.(\d+)\.([a-z_]+)(?:\.(\d+))?\.(weight|bias)$/
const EXPERTS = /^ffn_(gate|up|down|gate_up)_exps$/

/**
 * Reads vectors; matrices are only planned.
 *
 * @throws EngineError('model') naming a tensor that the architecture does not have
 */
export class OutputPlan {
  readonly #meta: Metadata
  readonly #architecture: Architecture
  readonly #headDim: number
  readonly #matrices: MatrixOutput[] = []
  readonly #plain: ShardItem[] = []

  constructor(meta: Metadata, architecture: Architecture) {
    this.#meta = meta
    this.#architecture = architecture
    this.#headDim = headDimOf(meta)
  }

  async all(): Promise<Outputs> {
    for (const tensor of this.#meta.source.tensors.values()) {
      if (ROTATION_TENSORS.test(tensor.name)) continue
      const [, layer, part, expert, kind] = LAYER_TENSOR.exec(tensor.name) ?? []
      if (layer === undefined || part === undefined) await this.#top(tensor)
      else {
        await this.#inLayer({
          ...{ tensor, layer, part },
          expert: expert === undefined ? null : Number(expert),
          kind: kind as LayerTensor['kind'],
        })
      }
    }
    return { matrices: this.#matrices, plain: this.#plain }
  }

  async #top(tensor: GgufTensor): Promise<void> {
    const { source } = this.#meta
    const { top, isNormShifted: isShifted } = this.#architecture
    const [, part = '', kind = ''] = /^([a-z_]+)\.(weight|bias)$/.exec(tensor.name) ?? []
    const path = Object.hasOwn(top, part) ? top[part] : undefined
    if (path === undefined) throw this.#unknown(tensor)
    if (tensor.shape.length === 1) {
      const change = { isShifted: isShifted && kind === 'weight' }
      this.#plain.push(await vectorItem(source, tensor, `${path}.${kind}`, change))
    } else if (part === 'position_embd') {
      this.#plain.push(tableItem(source, tensor, `${path}.weight`))
    } else this.#matrix(tensor, whole(path, tensor.shape[0] ?? 0))
  }

  async #inLayer(one: LayerTensor): Promise<void> {
    const { tensor, part, kind } = one
    const { parts, isTransposed } = this.#architecture
    if (EXPERTS.test(part) || one.expert !== null) return this.#experts(one)
    const slices = this.#slices(one)
    if (slices === null) throw this.#unknown(tensor)
    if (tensor.shape.length === 1) return this.#vectors(one, slices)
    if (kind === 'bias') throw this.#unknown(tensor)
    const path = parts[part]
    if (isTransposed && path !== undefined) {
      const name = `${this.#architecture.layer(one.layer)}.${path}.weight`
      this.#plain.push(transposedItem(this.#meta.source, tensor, name))
    } else for (const slice of slices) this.#matrix(tensor, slice)
  }

  async #vectors({ tensor, part, kind }: LayerTensor, slices: readonly Slice[]): Promise<void> {
    const isShifted = this.#architecture.isNormShifted && part.endsWith('norm') && kind === 'weight'
    for (const { path, first, rows, headDim } of slices) {
      // gpt-oss's sinks are a parameter, no module.
      const name = part === 'attn_sinks' ? path : `${path}.${kind}`
      const isRotated = /^attn_[qk](kv)?$/.test(part)
      this.#plain.push(
        await vectorItem(this.#meta.source, tensor, name, {
          ...{ first, length: rows, isShifted },
          headDim: isRotated ? headDim : null,
        }),
      )
    }
  }

  /** The modules that a tensor's rows are of; null where the architecture has none. */
  #slices({ tensor, layer, part }: LayerTensor): Slice[] | null {
    const { parts, isInterleaved } = this.#architecture
    const path = (own: string) => `${this.#architecture.layer(layer)}.${own}`
    const rows = tensor.shape[0] ?? 0
    const of = (own: string, first: number, count: number): Slice => {
      const isRotated = isInterleaved && (own === parts.attn_q || own === parts.attn_k)
      return {
        ...{ path: path(own), first, rows: count },
        headDim: isRotated ? this.#headDim : null,
        together: togetherOf(own, layer),
      }
    }
    const module = Object.hasOwn(parts, part) ? parts[part] : undefined
    if (module !== undefined) return [of(module, 0, rows)]
    const { attn_q: q, attn_k: k, attn_v: v } = parts
    if (part !== 'attn_qkv' || !q || !k || !v) return null
    // Fused, as newer converters can do.
    const queries = this.#meta.needed('attention.head_count') * this.#headDim
    const keys = (rows - queries) / 2
    return [of(q, 0, queries), of(k, queries, keys), of(v, queries + keys, keys)]
  }

  #experts(one: LayerTensor): Promise<void> | void {
    const { tensor, layer, part, kind, expert } = one
    const { experts } = this.#architecture
    const prefix = this.#architecture.layer(layer)
    const [, which] = EXPERTS.exec(part) ?? /^ffn_(gate|up|down)$/.exec(part) ?? []
    if (experts === null || which === undefined) throw this.#unknown(tensor)
    if (experts.kind === 'stacked') return this.#stacked(one, prefix)
    if (kind === 'bias') throw this.#unknown(tensor)
    const together = `${layer} experts' ${which === 'down' ? 'down' : 'gate and up'}`
    const slice = (index: number, own: ExpertPart, first: number, rows: number) =>
      this.#matrix(tensor, {
        ...{ path: experts.path(prefix, index, own), first, rows },
        ...{ headDim: null, together },
      })
    if (expert !== null) return slice(expert, which as ExpertPart, 0, tensor.shape[0] ?? 0)
    const [count = 0, rows = 0] = tensor.shape
    const parts: ExpertPart[] = which === 'gate_up' ? ['gate', 'up'] : [which as ExpertPart]
    const own = rows / parts.length
    for (let i = 0; i < count; i++) {
      for (const [p, each] of parts.entries()) slice(i, each, i * rows + p * own, own)
    }
  }

  /** gate and up make one tensor: it is written when gate comes. */
  async #stacked({ tensor, layer, part, kind }: LayerTensor, prefix: string): Promise<void> {
    const { source } = this.#meta
    if (part === 'ffn_up_exps') return
    const other = source.tensors.get(`blk.${layer}.ffn_up_exps.${kind}`)
    const isGate = part === 'ffn_gate_exps' && other !== undefined
    if (!isGate && part !== 'ffn_down_exps') throw this.#unknown(tensor)
    const tensors = isGate ? [tensor, other] : [tensor]
    if (tensors.some(({ shape }) => show(shape) !== show(tensor.shape))) {
      throw this.#unknown(tensor)
    }
    const name = `${prefix}.mlp.experts.${isGate ? 'gate_up' : 'down'}_proj`
    this.#plain.push(
      kind === 'bias'
        ? await stackedBias(source, tensors, `${name}_bias`)
        : stackedItem(source, tensors, name),
    )
  }

  #matrix(tensor: GgufTensor, slice: Slice): void {
    this.#matrices.push({ tensor, ...slice })
  }

  #unknown({ name, shape }: GgufTensor): Error {
    return refuse(
      this.#meta.source,
      `has the tensor ${show(name)} of shape ${show(shape)}, which a ${this.#meta.architecture} model does not have here. Use the safetensors form of the model.`,
    )
  }
}

const whole = (path: string, rows: number): Slice => ({
  ...{ path, first: 0, rows },
  ...{ headDim: null, together: null },
})

/** Modules of one layer that the engine reads as one matrix. */
function togetherOf(path: string, layer: string): string | null {
  if (/\.(q|k|v)_proj$/.test(path)) return `${layer} q, k, v`
  return /\.(gate|up)_proj$/.test(path) ? `${layer} gate, up` : null
}
