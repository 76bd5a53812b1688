/**
 * Checks a checkpoint against its config before anything is uploaded: every tensor the decoder needs is there, has
 * the shape the config implies and a type that is read, and nothing is left over. What it learns on the way (how each
 * matrix is packed, where the head lies, how many parameters there are) it hands on.
 */
import { EngineError } from '../errors.ts'
import {
  type DecoderConfig,
  type QuantizationConfig,
  quantizationOf,
  type TensorNames,
} from '../models/config.ts'
import type { Checkpoint } from './checkpoint.ts'
import { show } from './json.ts'
import { nearNames } from './near-names.ts'
import type { TensorInfo } from './safetensors.ts'

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
}

/** Left behind by old exports, and recomputed by everybody. */
const HARMLESS = /(^|\.)rotary_emb\.(inv_freq|cos_cached|sin_cached)$/
/** Complaints in one message; more would help nobody, and a config that claims a billion layers ends early. */
const MOST = 6

/**
 * @param names of the model's family
 * @throws EngineError('model') naming the folder and each tensor that is missing, unexpected, or of a wrong shape or
 *   type, with what was found and expected
 */
export function checkTensors(
  checkpoint: Checkpoint,
  config: DecoderConfig,
  names: TensorNames,
): CheckedTensors {
  const check = new TensorCheck(checkpoint)
  const { hiddenSize: hidden, vocabularySize: vocabulary, intermediateSize: inner } = config
  const queries = config.heads * config.headDim
  const keys = config.kvHeads * config.headDim
  check.matrix(names.embedding, vocabulary, hidden, false)
  for (let i = 0; i < config.layers; i++) {
    const layer = names.layer(i)
    check.vector(`${layer.attentionNorm}.weight`, hidden)
    check.matrix(layer.q, queries, hidden, config.attentionBias)
    check.matrix(layer.k, keys, hidden, config.attentionBias)
    check.matrix(layer.v, keys, hidden, config.attentionBias)
    check.matrix(layer.o, hidden, queries, config.outputBias)
    check.vector(`${layer.mlpNorm}.weight`, hidden)
    check.matrix(layer.gate, inner, hidden, config.mlpBias)
    check.matrix(layer.up, inner, hidden, config.mlpBias)
    check.matrix(layer.down, hidden, inner, config.mlpBias)
  }
  check.vector(`${names.finalNorm}.weight`, hidden)
  // A head of its own is used even where the config says tied: it is then either a copy or the truth.
  const isTied = config.tiedHead && !checkpoint.has(`${names.head}.weight`)
  if (!isTied) check.matrix(names.head, vocabulary, hidden, false)
  return check.finish(isTied ? names.embedding : names.head)
}

class TensorCheck {
  readonly #checkpoint: Checkpoint
  readonly #formats = new Map<string, WeightFormat>()
  readonly #seen = new Set<string>()
  readonly #faults: string[] = []
  #parameters = 0

  constructor(checkpoint: Checkpoint) {
    this.#checkpoint = checkpoint
  }

  /** A vector of plain numbers. */
  vector(name: string, length: number): void {
    this.#parameters += length
    this.#floats(name, [length])
  }

  /** A matrix of `rows` × `columns`, packed or not, and its bias. */
  matrix(path: string, rows: number, columns: number, hasBias: boolean): void {
    this.#parameters += rows * columns
    if (hasBias) this.vector(`${path}.bias`, rows)
    const stated = quantizationOf(this.#checkpoint.config, path)
    const isPacked =
      this.#checkpoint.has(`${path}.scales`) || this.#find(`${path}.weight`)?.dtype === 'U32'
    if (!isPacked) {
      const dtype = this.#floats(`${path}.weight`, [rows, columns])
      if (dtype) this.#formats.set(path, { kind: 'float', dtype })
    } else if (stated) {
      this.#affine(path, rows, columns, stated)
    } else {
      this.#see(`${path}.scales`)
      this.#see(`${path}.biases`)
      this.#see(`${path}.weight`)
      this.#fault(
        `"${path}.weight" is packed, but config.json has no "quantization" (bits, group_size) for it`,
      )
    }
  }

  /** Throws all faults at once, or gives what was learnt. */
  finish(head: string): CheckedTensors {
    const extra = this.#checkpoint
      .names()
      .filter((name) => !this.#seen.has(name) && !HARMLESS.test(name))
    if (extra.length > 0 && this.#faults.length === 0) {
      const more = extra.length > MOST ? ` and ${extra.length - MOST} more` : ''
      const shown = extra.slice(0, MOST).map((name) => show(name))
      this.#faults.push(
        `tensors that config.json accounts for nowhere: ${shown.join(', ')}${more} (a wrong layer count, bias flag or architecture?)`,
      )
    }
    if (this.#faults.length > 0) throw this.#error()
    return { head, formats: this.#formats, parameters: this.#parameters }
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
