/**
 * Which tensors a model has: what the config's switches and the family's names come to, said once for the check of a
 * checkpoint and for its upload. A matrix on the GPU may be fused of several stored ones, with rows in an order of its own.
 */
import { type DecoderConfig, expertsAt } from '../models/config.ts'
import type { LayerNames, TensorNames } from '../models/tensor-names.ts'
import { expertMatrices } from './expert-layout.ts'
import { rowOrder } from './row-order.ts'
import {
  type LayerSource,
  type MatrixSource,
  type MlpSource,
  matrixOf,
  type NormSource,
  named,
  normOf,
  type Role,
  type StoredRows,
  type VectorSource,
} from './sources.ts'

/** Modules by role; those of one path are rows of one tensor, one after another. */
function modulesOf(
  roles: readonly (readonly [path: string, rows: number])[],
  bias: boolean,
  transposed: boolean,
): StoredRows[] {
  const ends = new Map<string, number>()
  return roles.map(([path, rows]) => {
    const first = ends.get(path) ?? 0
    ends.set(path, first + rows)
    return { path, bias, first, rows, transposed }
  })
}

/** Queries, keys and values; row 2p and row 2p + 1 are the two dimensions of a head that turn together. */
function fusedQkv(
  label: string,
  names: LayerNames,
  config: DecoderConfig,
  transposed: boolean,
): MatrixSource {
  const { heads, kvHeads, headDim } = config
  const half = headDim / 2
  const turned = rowOrder(config)
  const [queries, keys] = [heads * headDim, kvHeads * headDim]
  return {
    label,
    modules: modulesOf(
      [
        [names.q, queries],
        [names.k, keys],
        [names.v, keys],
      ],
      config.attentionBias,
      transposed,
    ),
    rows: queries + 2 * keys,
    columns: config.hiddenSize,
    place(row) {
      const pair = row >>> 1
      const head = Math.floor(pair / half)
      const dimension = turned(pair % half, row & 1)
      if (head < heads) return { module: 0, row: head * headDim + dimension }
      const kvHead = head - heads
      if (kvHead < kvHeads) return { module: 1, row: kvHead * headDim + dimension }
      // Values are not turned: they leave attention in their own order.
      const own = (pair % half) + (row & 1) * half
      return { module: 2, row: (kvHead - kvHeads) * headDim + own }
    },
  }
}

/** Gate and up rows in turn. */
function fusedGateUp(
  label: string,
  names: LayerNames,
  config: DecoderConfig,
  transposed: boolean,
): MatrixSource {
  const inner = config.intermediateSize
  return {
    label,
    modules: modulesOf(
      [
        [named(names, 'gate'), inner],
        [named(names, 'up'), inner],
      ],
      config.mlpBias,
      transposed,
    ),
    rows: 2 * inner,
    columns: config.hiddenSize,
    place: (row) => ({ module: row & 1, row: row >>> 1 }),
  }
}

/** The MLP or the experts of layer `index`. */
function mlpOf(
  config: DecoderConfig,
  family: TensorNames,
  names: LayerNames,
  index: number,
): MlpSource {
  const label = `layer ${index}`
  const experts = expertsAt(config, index)
  if (experts) return expertMatrices(label, config, experts, names)
  const { hiddenSize: hidden, intermediateSize: inner, mlpBias: bias } = config
  const transposed = family.transposed ?? false
  const down = matrixOf(`${label} down`, named(names, 'down'), hidden, inner, { bias, transposed })
  if (config.mlp === 'gated') {
    return {
      kind: 'gated',
      gateUp: fusedGateUp(`${label} gate-up`, names, config, transposed),
      down,
    }
  }
  const up = matrixOf(`${label} up`, named(names, 'up'), inner, hidden, { bias, transposed })
  return { kind: 'plain', up, down }
}

/** All of layer `index`. */
export function layerSource(
  config: DecoderConfig,
  family: TensorNames,
  index: number,
): LayerSource {
  const names = family.layer(index)
  const { hiddenSize: hidden, heads, kvHeads, headDim, normPlacement } = config
  const transposed = family.transposed ?? false
  const norm = (role: Role, isThere: boolean): NormSource | null =>
    isThere ? normOf(named(names, role), config) : null
  const normed = (role: Role, count: number): VectorSource | null => {
    if (config.queryKeyNorm === 'none') return null
    const length = config.queryKeyNorm === 'head' ? headDim : count * headDim
    return { name: `${named(names, role)}.weight`, length }
  }
  const bias = config.outputBias
  return {
    attentionNorm: norm('attentionNorm', normPlacement !== 'after'),
    qkv: fusedQkv(`layer ${index} qkv`, names, config, transposed),
    queryNorm: normed('qNorm', heads),
    keyNorm: normed('kNorm', kvHeads),
    sinks: config.sinks ? { name: named(names, 'sinks'), length: heads } : null,
    o: matrixOf(`layer ${index} o`, names.o, hidden, heads * headDim, { bias, transposed }),
    attentionPostNorm: norm('attentionPostNorm', normPlacement !== 'before'),
    mlpNorm: norm('mlpNorm', normPlacement !== 'after'),
    mlp: mlpOf(config, family, names, index),
    mlpPostNorm: norm('mlpPostNorm', normPlacement !== 'before'),
  }
}
