/**
 * Checks a checkpoint against its config before anything is uploaded: every tensor the decoder needs is there, has
 * the shape the config implies and a type that is read, and nothing is left over. What it learns on the way (how each
 * matrix is packed, where the head lies, how many parameters there are) it hands on.
 */
import { EngineError } from '../errors.ts'
import { type DecoderConfig, type QuantizationConfig, quantizationOf } from '../models/config.ts'
import { type TensorNames, withoutPrefix } from '../models/tensor-names.ts'
import type { Checkpoint } from './checkpoint.ts'
import { show } from './json.ts'
import { layerSource } from './layout.ts'
import { nearNames } from './near-names.ts'
import type { TensorInfo } from './safetensors.ts'
import {
  biasOf,
  type LayerSource,
  type MatrixSource,
  matrixOf,
  normOf,
  positionsOf,
  type StoredRows,
  storedShape,
  tensorOf,
  type VectorSource,
} from './sources.ts'

/** Weights as plain numbers. */
export interface FloatFormat {
  kind: 'float'
  dtype: 'F32' | 'F16' | 'BF16'
}
export type WeightFormat = FloatFormat | QuantizationConfig

export interface CheckedTensors {
  /** Module path of the head's matrix: the embedding's when tied. */
  head: string
  /** How each matrix is packed, by module path. */
  formats: ReadonlyMap<string, WeightFormat>
  /** Numbers in the model, before packing; a tied head counts once. */
  parameters: number
  /** The family's, as this checkpoint spells them. */
  names: TensorNames
}

/** Left behind by old exports, and recomputed by everybody. */
const HARMLESS = /(^|\.)rotary_emb\.(inv_freq|cos_cached|sin_cached)$/
/** Complaints in one message; more would help nobody, and a config that claims a billion layers ends early. */
const MOST = 6

/**
 * @param family names of the model's family
 * @throws EngineError('model') naming the folder and each tensor that is missing, unexpected, or of a wrong shape or
 *   type, with what was found and expected
 */
export function checkTensors(
  checkpoint: Checkpoint,
  config: DecoderConfig,
  family: TensorNames,
): CheckedTensors {
  const names = spelling(checkpoint, family)
  const check = new TensorCheck(checkpoint, names.ignored)
  const { hiddenSize: hidden, vocabularySize: vocabulary } = config
  check.matrix(matrixOf('', names.embedding, vocabulary, hidden))
  if (names.positions) check.matrix(positionsOf(names.positions, config))
  for (let i = 0; i < config.layers; i++) checkLayer(check, layerSource(config, names, i))
  const { weight, bias } = normOf(names.finalNorm, config)
  check.vectors(weight, bias)
  // A head of its own is used even where the config says tied: it is then either a copy or the truth.
  const isTied = config.tiedHead && !checkpoint.has(`${names.head}.weight`)
  if (!isTied) check.matrix(matrixOf('', names.head, vocabulary, hidden))
  return { ...check.finish(), head: isTied ? names.embedding : names.head, names }
}

/** With or without the prefix that checkpoints of the model without its head leave off. */
function spelling(checkpoint: Checkpoint, family: TensorNames): TensorNames {
  const bare = withoutPrefix(family)
  const isBare =
    !checkpoint.has(`${family.embedding}.weight`) && checkpoint.has(`${bare.embedding}.weight`)
  return isBare ? bare : family
}

function checkLayer(check: TensorCheck, layer: LayerSource): void {
  for (const norm of [
    layer.attentionNorm,
    layer.attentionPostNorm,
    layer.mlpNorm,
    layer.mlpPostNorm,
  ]) {
    if (norm) check.vectors(norm.weight, norm.bias)
  }
  check.vectors(layer.queryNorm, layer.keyNorm, layer.sinks)
  check.matrix(layer.qkv)
  check.matrix(layer.o)
  const { mlp } = layer
  if (mlp.kind === 'experts') check.matrix(mlp.router)
  check.matrix(mlp.kind === 'plain' ? mlp.up : mlp.gateUp)
  check.matrix(mlp.down)
}

class TensorCheck {
  readonly #checkpoint: Checkpoint
  readonly #formats = new Map<string, WeightFormat>()
  readonly #seen = new Set<string>()
  readonly #faults: string[] = []
  #parameters = 0

  readonly #ignored: readonly RegExp[]

  constructor(checkpoint: Checkpoint, ignored: RegExp | undefined) {
    this.#checkpoint = checkpoint
    this.#ignored = ignored ? [HARMLESS, ignored] : [HARMLESS]
  }

  /** Vectors of plain numbers, as far as there are any. */
  vectors(...all: readonly (VectorSource | null)[]): void {
    for (const one of all) if (one) this.#numbers(one.name, [one.length])
  }

  /** The stored matrices that a matrix is put together of, packed or not, and their biases. */
  matrix({ modules, columns }: MatrixSource): void {
    const whole = new Map<string, StoredRows>()
    for (const module of modules) {
      const before = whole.get(module.path)
      const rows = Math.max(before?.rows ?? 0, module.first + module.rows)
      whole.set(module.path, { ...module, first: 0, rows })
    }
    for (const module of whole.values()) this.#module(module, columns)
  }

  #module(module: StoredRows, columns: number): void {
    const { path, rows, stack } = module
    const tensor = tensorOf(module)
    const bias = biasOf(module)
    const shape = storedShape(module, columns)
    this.#parameters += shape.reduce((a, b) => a * b, 1)
    if (bias) this.#numbers(bias, stack ? [stack.count, rows] : [rows])
    const stated = quantizationOf(this.#checkpoint.config, path)
    const isPacked = this.#checkpoint.has(`${path}.scales`) || this.#find(tensor)?.dtype === 'U32'
    if (!isPacked) {
      const dtype = this.#floats(tensor, shape)
      if (dtype) this.#formats.set(path, { kind: 'float', dtype })
    } else if (module.transposed || stack) {
      this.#see(tensor)
      this.#fault(`"${tensor}" is packed; expected F32, F16 or BF16, as it is stored by columns`)
    } else if (stated) {
      this.#affine(path, rows, columns, stated)
    } else {
      this.#see(`${path}.scales`)
      this.#see(`${path}.biases`)
      this.#see(tensor)
      this.#fault(
        `"${tensor}" is packed, but config.json has no "quantization" (bits, group_size) for it`,
      )
    }
  }

  #numbers(name: string, shape: readonly number[]): void {
    this.#parameters += shape.reduce((a, b) => a * b, 1)
    this.#floats(name, shape)
  }

  /** Throws all faults at once, or gives what was learnt. */
  finish(): Pick<CheckedTensors, 'formats' | 'parameters'> {
    const extra = this.#checkpoint
      .names()
      .filter((name) => !this.#seen.has(name) && !this.#ignored.some((one) => one.test(name)))
    if (extra.length > 0 && this.#faults.length === 0) {
      const more = extra.length > MOST ? ` and ${extra.length - MOST} more` : ''
      const shown = extra.slice(0, MOST).map((name) => show(name))
      this.#faults.push(
        `tensors that config.json accounts for nowhere: ${shown.join(', ')}${more} (a wrong layer count, bias flag or architecture?)`,
      )
    }
    if (this.#faults.length > 0) throw this.#error()
    return { formats: this.#formats, parameters: this.#parameters }
  }

  #affine(path: string, rows: number, columns: number, format: QuantizationConfig): void {
    const { bits, groupSize } = format
    this.#formats.set(path, format)
    if (columns % groupSize !== 0) {
      this.#fault(`"${path}" has rows of ${columns}, which groups of ${groupSize} do not divide`)
      return
    }
    const words = (columns * bits) / 32
    const as = `for ${bits} bits of ${rows} × ${columns}`
    this.#tensor(`${path}.weight`, [rows, words], (dtype) => dtype === 'U32', `U32 ${as}`)
    this.#floats(`${path}.scales`, [rows, columns / groupSize])
    this.#floats(`${path}.biases`, [rows, columns / groupSize])
  }

  /** Returns the type of a tensor of plain numbers, or null after a complaint. */
  #floats(name: string, shape: readonly number[]): FloatFormat['dtype'] | null {
    const info = this.#tensor(name, shape, isFloat, 'F32, F16 or BF16')
    return info && isFloat(info.dtype) ? info.dtype : null
  }

  #tensor(
    name: string,
    shape: readonly number[],
    accepts: (dtype: string) => boolean,
    expected: string,
  ): TensorInfo | null {
    const info = this.#find(name)
    this.#see(name)
    if (!info) {
      this.#missing(name, shape)
      return null
    }
    const isRight = info.shape.length === shape.length && info.shape.every((n, i) => n === shape[i])
    if (!isRight) {
      this.#fault(`"${name}" has shape ${show(info.shape)}, expected ${show(shape)}`)
    } else if (!accepts(info.dtype)) {
      this.#fault(`"${name}" is ${info.dtype}, expected ${expected}`)
    }
    return info
  }

  #missing(name: string, shape: readonly number[]): void {
    const near = nearNames(name, this.#checkpoint.names()).map(show)
    const hint = near.length > 0 ? ` (the nearest there are: ${near.join(', ')})` : ''
    this.#fault(`"${name}" is missing, expected with shape ${show(shape)}${hint}`)
  }

  #find(name: string): TensorInfo | null {
    return this.#checkpoint.has(name) ? this.#checkpoint.info(name) : null
  }

  #see(name: string): void {
    this.#seen.add(name)
  }

  #fault(text: string): void {
    this.#faults.push(text)
    if (this.#faults.length >= MOST) throw this.#error()
  }

  #error(): EngineError {
    const faults = this.#faults.map((fault) => `\n  ${fault}`).join('')
    const what = 'the tensors do not fit config.json'
    return new EngineError('model', `${this.#checkpoint.folder}: ${what}:${faults}`)
  }
}

function isFloat(dtype: string): dtype is FloatFormat['dtype'] {
  return dtype === 'F32' || dtype === 'F16' || dtype === 'BF16'
}
