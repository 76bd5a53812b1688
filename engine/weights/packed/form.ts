/**
 * What a packed form of weights is, to the rest of the engine: modules of integers (or of numbers of 8 bits) with a
 * scale and a zero for each group along a row, w = (code − zero) × scale. A form knows how its tensors hold them.
 */
import { formatOf } from '../../../kernels/index.ts'
import { EngineError } from '../../errors.ts'
import type { Checkpoint } from '../checkpoint.ts'
import { type JsonObject, show } from '../json.ts'
import type { TensorInfo } from '../safetensors.ts'

/** A module's numbers, as they were stored. */
export interface Codes {
  /** Fills in the codes of one row. */
  codes(row: number, into: Float32Array): void
  scale(row: number, group: number): number
  zero(row: number, group: number): number
}

export interface PackedModule {
  /** e.g. `model.layers.0.self_attn.q_proj` */
  readonly path: string
  readonly rows: number
  readonly columns: number
  /** Group of each column. */
  readonly groups: Uint32Array
  /** Where groups are runs of columns and codes are integers from 0 on: how many bits and columns. */
  readonly runs: { readonly bits: 4 | 8; readonly size: number } | null
  /** Names of the stored tensors that `open` is given. */
  readonly tensors: readonly string[]
  /** A tensor that a model may have no use for, and nobody misses then: it is there, but not listed. */
  readonly spare: string | null
  open(data: ReadonlyMap<string, Uint8Array>): Codes
}

/** A checkpoint with what its config says of packing, for a form to read. */
export interface PackedSource {
  readonly checkpoint: Checkpoint
  readonly settings: JsonObject
  /** An error that names quant_method and tensor. */
  fault(tensor: string, text: string): EngineError
}

/** One `quant_method`. */
export interface Form {
  readonly method: string
  /**
   * The modules that are packed; all others are plain numbers.
   * @throws EngineError('model') naming quant_method and tensor
   */
  modules(source: PackedSource): Promise<PackedModule[]>
  /** Stored tensors that nothing needs: scales of activations and of caches. */
  readonly idle: RegExp | null
}

export const packedSource = (checkpoint: Checkpoint, settings: JsonObject): PackedSource => ({
  checkpoint,
  settings,
  fault: (tensor, text) =>
    new EngineError(
      'model',
      `${checkpoint.folder}: "quant_method" is ${show(settings.quant_method)}: tensor "${tensor}" ${text}.`,
    ),
})

/** Module paths of the tensors that end so. */
export const pathsOf = ({ checkpoint }: PackedSource, suffix: string): string[] =>
  checkpoint
    .names()
    .filter((name) => name.endsWith(suffix))
    .map((name) => name.slice(0, -suffix.length))

/** Module paths of the tensors that end in any of these: a module that lacks one of them is not overlooked. */
export const pathsOfAny = (source: PackedSource, ...suffixes: readonly string[]): string[] => [
  ...new Set(suffixes.flatMap((suffix) => pathsOf(source, suffix))),
]

/** A tensor that must be there, of one of these types and of this shape; two dimensions where none is given. */
export function expectTensor(
  { checkpoint, fault }: PackedSource,
  name: string,
  dtypes: readonly string[],
  shape?: readonly number[] | 'any',
): TensorInfo {
  if (!checkpoint.has(name)) throw fault(name, 'is missing')
  const info = checkpoint.info(name)
  if (!dtypes.includes(info.dtype)) {
    throw fault(name, `is ${info.dtype}, expected ${dtypes.join(' or ')}`)
  }
  if (shape === 'any') return info
  const isRight = shape
    ? shape.length === info.shape.length && shape.every((n, i) => n === info.shape[i])
    : info.shape.length === 2 && info.shape.every((n) => n > 0)
  if (isRight) return info
  const expected = shape ? show(shape) : 'rows and columns'
  throw fault(name, `has shape ${show(info.shape)}, expected ${expected}`)
}

export const FLOATS = ['F16', 'BF16', 'F32'] as const

/** Bytes of a tensor of `open`. */
export function bytesOf(data: ReadonlyMap<string, Uint8Array>, name: string): Uint8Array {
  const bytes = data.get(name)
  if (!bytes) throw new Error(`${name} was not read.`)
  return bytes
}

/** Words of a tensor, lowest bits first. */
export const wordsOf = (data: ReadonlyMap<string, Uint8Array>, name: string): Uint32Array =>
  new Uint32Array(bytesOf(data, name).slice().buffer)

/** Numbers of a tensor of `info`'s type. */
export function floatsOf(data: ReadonlyMap<string, Uint8Array>, info: TensorInfo): Float32Array {
  const count = info.shape.reduce((product, size) => product * size, 1)
  return formatOf(info.dtype.toLowerCase()).decode({ weight: bytesOf(data, info.name) }, 1, count)
}

/** Groups that are runs of `size` columns. */
export const runsOf = (columns: number, size: number): Uint32Array =>
  Uint32Array.from({ length: columns }, (_, column) => Math.floor(column / size))

/**
 * Groups as a `g_idx` tensor gives them: of a model quantized in the order of its activations (act-order) a group's
 * columns are not neighbours.
 */
export async function statedGroups(
  source: PackedSource,
  name: string,
  columns: number,
  count: number,
): Promise<Uint32Array> {
  expectTensor(source, name, ['I32'], [columns])
  const groups = new Uint32Array((await source.checkpoint.readAll(name)).buffer)
  const wrong = groups.findIndex((group) => group >= count)
  if (wrong >= 0)
    throw source.fault(
      name,
      `has ${(groups[wrong] ?? 0) | 0} at ${wrong}, expected a group below ${count}`,
    )
  return groups
}

/** `runs`, where these groups are some. */
export const runsIn = (groups: Uint32Array, bits: 4 | 8, size: number): PackedModule['runs'] =>
  groups.every((group, column) => group === Math.floor(column / size)) ? { bits, size } : null

/** `bits` of the settings: 4 or 8. */
export function bitsOf({ settings, fault }: PackedSource, tensor: string): 4 | 8 {
  const { bits } = settings
  if (bits === 4 || bits === 8) return bits
  throw fault(tensor, `has "bits" ${show(bits)}, expected 4 or 8`)
}

/** Columns of a group as `group_size` says: −1 is a whole row. */
export function groupSizeOf(
  { settings, fault }: PackedSource,
  tensor: string,
  columns: number,
): number {
  const { group_size: size } = settings
  if (size === -1) return columns
  if (typeof size === 'number' && Number.isInteger(size) && size > 0) return Math.min(size, columns)
  throw fault(tensor, `has "group_size" ${show(size)}, expected a positive integer or -1`)
}
