/** Where weights come from and what becomes of them: stored tensors, and the matrices that are put together of them. */
import type { DecoderConfig } from '../models/config.ts'
import type { LayerNames, TensorNames } from '../models/tensor-names.ts'

/** Rows of a stored tensor. */
export interface StoredRows {
  /** Path of the module: what `quantization` names, and what scales and biases are called after. */
  readonly path: string
  /** Name of the tensor, where it is not the path's `.weight`. */
  readonly tensor?: string
  /** Name of the bias, or null; `path`'s own where it is true. */
  readonly bias: boolean | string
  /** First row, and how many. */
  readonly first: number
  readonly rows: number
  /** Matrices that lie one after another in a tensor of three dimensions, and which of them this is. */
  readonly stack?: { readonly count: number; readonly index: number }
  /** Stored as [columns, rows]. */
  readonly transposed: boolean
}

/** Name of the tensor of a module's weights. */
export const tensorOf = ({ path, tensor }: StoredRows): string => tensor ?? `${path}.weight`

/** Name of a module's bias, or null. */
export const biasOf = ({ path, bias }: StoredRows): string | null =>
  typeof bias === 'string' ? bias : bias ? `${path}.bias` : null

/** Shape of a whole tensor of `rows` rows. */
export function storedShape({ rows, stack, transposed }: StoredRows, columns: number): number[] {
  const shape = transposed ? [columns, rows] : [rows, columns]
  return stack ? [stack.count, ...shape] : shape
}

/** Where a row of a fused matrix comes from. */
export interface Place {
  /** Index into the matrix's modules. */
  readonly module: number
  readonly row: number
}

/** A matrix as the GPU has it. */
export interface MatrixSource {
  readonly label: string
  readonly modules: readonly StoredRows[]
  readonly columns: number
  /** Rows of the fused matrix. */
  readonly rows: number
  /** null: a row of zeros. */
  place(row: number): Place | null
}

/** A vector of plain numbers. */
export interface VectorSource {
  readonly name: string
  readonly length: number
}

export interface NormSource {
  readonly weight: VectorSource
  /** Of LayerNorm. */
  readonly bias: VectorSource | null
}

export type MlpSource =
  | { readonly kind: 'gated'; readonly gateUp: MatrixSource; readonly down: MatrixSource }
  | { readonly kind: 'plain'; readonly up: MatrixSource; readonly down: MatrixSource }
  | {
      readonly kind: 'experts'
      readonly router: MatrixSource
      readonly gateUp: MatrixSource
      readonly down: MatrixSource
    }

export interface LayerSource {
  readonly attentionNorm: NormSource | null
  readonly qkv: MatrixSource
  readonly queryNorm: VectorSource | null
  readonly keyNorm: VectorSource | null
  readonly sinks: VectorSource | null
  readonly o: MatrixSource
  readonly attentionPostNorm: NormSource | null
  readonly mlpNorm: NormSource | null
  readonly mlp: MlpSource
  readonly mlpPostNorm: NormSource | null
}

/** The table of positions. */
export const positionsOf = (
  { path, tensor, isStacked }: NonNullable<TensorNames['positions']>,
  { contextLength, hiddenSize }: DecoderConfig,
): MatrixSource => ({
  label: 'positions',
  modules: [
    {
      ...{ path, tensor, bias: false, first: 0, rows: contextLength, transposed: false },
      ...(isStacked ? { stack: { count: 1, index: 0 } } : {}),
    },
  ],
  rows: contextLength,
  columns: hiddenSize,
  place: (row) => ({ module: 0, row }),
})

/** Rows in their own order. */
export const matrixOf = (
  label: string,
  path: string,
  rows: number,
  columns: number,
  options: { bias?: boolean; transposed?: boolean } = {},
): MatrixSource => ({
  label,
  modules: [
    { path, bias: options.bias ?? false, first: 0, rows, transposed: options.transposed ?? false },
  ],
  rows,
  columns,
  place: (row) => ({ module: 0, row }),
})

/** Roles that one module has. */
export type Role = {
  [K in keyof LayerNames]-?: string extends LayerNames[K] ? K : never
}[keyof LayerNames]

/** A family whose switches ask for a tensor has a name for it. */
export function named(names: LayerNames, role: Role): string {
  const name = names[role]
  if (name === undefined)
    throw new Error(`The family has no name for ${role}, which its config needs.`)
  return name
}

export const normOf = (path: string, config: DecoderConfig): NormSource => ({
  weight: { name: `${path}.weight`, length: config.hiddenSize },
  bias: config.norm === 'layer' ? { name: `${path}.bias`, length: config.hiddenSize } : null,
})
