/**
 * The matrices of a layer's experts: all of a kind in one, each expert from a row block of its own on, so that a kernel
 * finds the chosen ones by number and reads no others.
 */
import { BLOCK_ROWS, roundUp } from '../../kernels/index.ts'
import type { DecoderConfig, ExpertsConfig } from '../models/config.ts'
import type { ExpertNames, LayerNames } from '../models/tensor-names.ts'
import { type MatrixSource, type MlpSource, matrixOf, named, type StoredRows } from './sources.ts'

/** Rows from one expert to the next. */
const expertRows = (rows: number): number => roundUp(rows, BLOCK_ROWS)

/** @param modules of one expert, and where its row `row` comes from */
function stacked(
  label: string,
  experts: ExpertsConfig,
  size: { rows: number; columns: number },
  modules: (expert: number) => readonly StoredRows[],
  place: (row: number) => { module: number; row: number },
): MatrixSource {
  const each = expertRows(size.rows)
  const all = Array.from({ length: experts.count }, (_, expert) => modules(expert))
  const apart = all[0]?.length ?? 1
  return {
    label,
    modules: all.flat(),
    rows: experts.count * each,
    columns: size.columns,
    place(row) {
      const own = row % each
      if (own >= size.rows) return null
      const from = place(own)
      return { module: Math.floor(row / each) * apart + from.module, row: from.row }
    },
  }
}

/** Modules of expert `index`: (gate and up), (down). */
function modulesOf(
  names: ExpertNames,
  { count, bias, intermediateSize: inner }: ExpertsConfig,
  hidden: number,
  index: number,
): { gateUp: StoredRows[]; down: StoredRows[] } {
  if (names.kind === 'apart') {
    const { gate, up, down } = names.expert(index)
    const of = (path: string, rows: number) => ({ path, bias, first: 0, rows, transposed: false })
    return { gateUp: [of(gate, inner), of(up, inner)], down: [of(down, hidden)] }
  }
  const of = (tensor: string, ownBias: string, rows: number): StoredRows => ({
    path: tensor,
    tensor,
    bias: bias ? ownBias : false,
    first: 0,
    rows,
    stack: { count, index },
    transposed: true,
  })
  return {
    gateUp: [of(names.gateUp, names.gateUpBias, 2 * inner)],
    down: [of(names.down, names.downBias, hidden)],
  }
}

/** Router, gate and up rows in turn, and down. */
export function expertMatrices(
  label: string,
  { hiddenSize: hidden }: DecoderConfig,
  experts: ExpertsConfig,
  names: LayerNames,
): MlpSource {
  const own = names.experts
  if (!own) throw new Error('The family has no names for experts, which its config needs.')
  const inner = experts.intermediateSize
  const modules = (expert: number) => modulesOf(own, experts, hidden, expert)
  const router = named(names, 'router')
  return {
    kind: 'experts',
    router: matrixOf(`${label} router`, router, experts.count, hidden, {
      bias: experts.routerBias,
    }),
    gateUp: stacked(
      `${label} experts' gate-up`,
      experts,
      { rows: 2 * inner, columns: hidden },
      (expert) => modules(expert).gateUp,
      // Stacked ones take turns already.
      (row) => (own.kind === 'stacked' ? { module: 0, row } : { module: row & 1, row: row >>> 1 }),
    ),
    down: stacked(
      `${label} experts' down`,
      experts,
      { rows: hidden, columns: inner },
      (expert) => modules(expert).down,
      (row) => ({ module: 0, row }),
    ),
  }
}
