/**
 * What the one decoder graph reads about a model. A family turns its `config.json` into a `DecoderConfig` and names
 * its tensors by role; shared code never asks which family it runs. How weights are packed is read here too, since
 * that is the same for every family.
 */
import { z } from 'zod'
import { EngineError } from '../errors.ts'
import { isJsonObject, type JsonObject, show } from '../weights/json.ts'
import type { RotaryConfig } from './rotary.ts'
import { badKey } from './validate.ts'

export type Activation = 'silu' | 'gelu' | 'gelu-tanh'

export interface DecoderConfig {
  hiddenSize: number
  layers: number
  heads: number
  /** Divides `heads`. */
  kvHeads: number
  /** Even; heads × headDim need not be hiddenSize. */
  headDim: number
  intermediateSize: number
  vocabularySize: number
  /** Most positions the model was made for. */
  contextLength: number
  /** Added to the mean square in RMS norms. */
  normEps: number
  activation: Activation
  rotary: RotaryConfig
  /** The head uses the embedding's weights when the checkpoint has none of its own. */
  tiedHead: boolean
  /** Biases on q, k and v. */
  attentionBias: boolean
  /** Bias on the attention's output projection. */
  outputBias: boolean
  /** Biases on gate, up and down. */
  mlpBias: boolean
  bosIds: readonly number[]
  /** Ids that end an answer: those of `generation_config.json` first, then those of `config.json`. */
  eosIds: readonly number[]
}

/** Names of one layer's modules. */
export interface LayerNames {
  readonly attentionNorm: string
  readonly q: string
  readonly k: string
  readonly v: string
  readonly o: string
  readonly mlpNorm: string
  readonly gate: string
  readonly up: string
  readonly down: string
}

/**
 * Names of checkpoint modules by role. A module is a path: its tensors are `${path}.weight`, `${path}.bias`, and,
 * when packed, `${path}.scales` and `${path}.biases`.
 */
export interface TensorNames {
  readonly embedding: string
  readonly finalNorm: string
  readonly head: string
  layer(index: number): LayerNames
}

/** A model family: data and two mappings, no behaviour of its own. */
export interface Family {
  readonly name: string
  /** Values of `architectures` in `config.json` that it runs. */
  readonly architectures: readonly string[]
  /** @throws EngineError('model') naming file, key, what was found and what was expected */
  config(json: JsonObject, generation: JsonObject): DecoderConfig
  readonly tensors: TensorNames
}

/** The names `hidden_act` may have. The three tanh forms are the same function, written differently. */
const ACTIVATIONS = {
  silu: 'silu',
  swish: 'silu',
  gelu: 'gelu',
  gelu_new: 'gelu-tanh',
  gelu_fast: 'gelu-tanh',
  gelu_pytorch_tanh: 'gelu-tanh',
} as const satisfies Record<string, Activation>

const activationNames = Object.keys(ACTIVATIONS) as (keyof typeof ACTIVATIONS)[]
/** Schema of `hidden_act`. */
export const activation = z
  .enum(activationNames, `one of ${activationNames.join(', ')}`)
  .transform((name): Activation => ACTIVATIONS[name])

/** Weights packed as MLX does: w = q × scale + bias, one scale and bias for each group along a row. */
export interface QuantizationConfig {
  kind: 'affine'
  bits: 4 | 8
  groupSize: 32 | 64 | 128
}

const FILE = 'config.json'

/**
 * How `config.json` says a module is packed, per-module overrides first. MLX packs a module only where the checkpoint
 * has its `.scales`; that is for the reader of the tensors to look at.
 *
 * @param config the whole `config.json`
 * @param modulePath e.g. `model.layers.0.self_attn.q_proj`
 * @returns null when it is not packed
 * @throws EngineError('model') for other quantization methods, modes, bits or group sizes, naming them
 */
export function quantizationOf(config: JsonObject, modulePath: string): QuantizationConfig | null {
  refuseOtherMethods(config)
  const key = isAbsent(config.quantization) ? 'quantization_config' : 'quantization'
  const settings = config[key]
  if (isAbsent(settings)) return null
  if (!isJsonObject(settings)) {
    throw badKey(FILE, key, settings, 'an object with bits and group_size')
  }
  const override = Object.hasOwn(settings, modulePath) ? settings[modulePath] : true
  if (override === false) return null
  if (override === true) return parseAffine(settings, key)
  const path = `${key}.${modulePath}`
  if (!isJsonObject(override)) {
    throw badKey(FILE, path, override, 'an object with bits and group_size, true or false')
  }
  return parseAffine(override, path)
}

function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null
}

/** MLX states no method; every other scheme does, and its tensors would make no sense here. */
function refuseOtherMethods(config: JsonObject) {
  for (const key of ['quantization', 'quantization_config']) {
    const settings = config[key]
    if (!isJsonObject(settings) || isAbsent(settings.quant_method)) continue
    throw new EngineError(
      'model',
      `${FILE}: "${key}.quant_method" is ${show(settings.quant_method)}, which is not supported yet. Supported: BF16, F16 and F32 weights, and MLX's affine 4-bit and 8-bit (which state no quant_method). Use such a version of the model.`,
    )
  }
}

function parseAffine(settings: JsonObject, path: string): QuantizationConfig {
  const { bits, group_size: groupSize, mode = 'affine' } = settings
  if (mode !== 'affine') throw badKey(FILE, `${path}.mode`, mode, '"affine"')
  if (bits !== 4 && bits !== 8) throw badKey(FILE, `${path}.bits`, bits, '4 or 8')
  if (groupSize !== 32 && groupSize !== 64 && groupSize !== 128) {
    throw badKey(FILE, `${path}.group_size`, groupSize, '32, 64 or 128')
  }
  return { kind: 'affine', bits, groupSize }
}
