/**
 * What the one decoder graph reads about a model. A family turns its `config.json` into a `DecoderConfig` and names
 * its tensors by role; shared code never asks which family it runs. How weights are packed is read here too, since
 * that is the same for every family.
 */
import { z } from 'zod'
import { EngineError } from '../errors.ts'
import { isJsonObject, type JsonObject, show } from '../weights/json.ts'
import type { RotaryConfig } from './rotary-config.ts'
import type { TensorNames } from './tensor-names.ts'
import { badKey } from './validate.ts'

export type Activation = 'silu' | 'gelu' | 'gelu-tanh' | 'relu'

/** How one layer attends. */
export interface LayerAttention {
  /** Tokens a query sees, itself included; null: all before it. */
  readonly window: number | null
  /** null: queries and keys are not turned. */
  readonly rotary: RotaryConfig | null
  /** Factor on `attentionScale`; 1 where left out. */
  readonly scale?: number
}

/** A mixture of experts in place of the gated MLP (Shazeer et al. 2017). */
export interface ExpertsConfig {
  readonly count: number
  /** Experts a token goes through. */
  readonly chosen: number
  /** Width of one expert. */
  readonly intermediateSize: number
  /** Whether the weights of the chosen ones are scaled to add up to 1. */
  readonly renormalise: boolean
  readonly routerBias: boolean
  /** Biases on gate, up and down. */
  readonly bias: boolean
  /** gate = min(gate, limit), up = clamp(up, ±limit), y = (up + 1) · gate · sigmoid(alpha · gate), as gpt-oss has it. */
  readonly clamp: { readonly limit: number; readonly alpha: number } | null
}

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
  /** `rms`: no mean is taken off and there is no bias; `layer`: LayerNorm. */
  norm: 'rms' | 'layer'
  /** Added to the mean square or the variance in norms. */
  normEps: number
  /** Added to norm weights: 1 where the checkpoint holds what differs from 1. */
  normOffset: 0 | 1
  /** Norms of a block's input, of its output before it is added to the residual, or of both. */
  normPlacement: 'before' | 'after' | 'both'
  /** RMS norm of queries and keys before rotation, each head on its own or all heads together. */
  queryKeyNorm: 'none' | 'head' | 'all'
  activation: Activation
  /** down(act(gate) · up), or down(act(up)). */
  mlp: 'gated' | 'plain'
  experts: ExpertsConfig | null
  /** Whether a layer has experts instead of an MLP: by layer, over and over; empty: every one, where there are any. */
  sparse: readonly boolean[]
  /** By layer, over and over. */
  attention: readonly [LayerAttention, ...LayerAttention[]]
  /** Dimensions of a head that are turned, from the first on; even. */
  rotaryDimensions: number
  /** Which dimensions are turned together: i and i + half, or 2i and 2i + 1. */
  rotaryPairs: 'halves' | 'neighbours'
  /** Whether an embedding of the position is added to the token's. */
  learnedPositions: boolean
  /** Factor on the products of queries and keys. */
  attentionScale: number
  /** Scores become cap · tanh(score / cap). */
  attentionCap: number | null
  /** Each head has a logit that takes its share of attention and brings no value. */
  sinks: boolean
  embeddingScale: number
  /** Factor on what a block adds to the residual. */
  residualScale: number
  logitScale: number
  /** Logits become cap · tanh(logit / cap). */
  logitCap: number | null
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

/** How layer `index` attends. */
export const attentionAt = ({ attention }: DecoderConfig, index: number): LayerAttention =>
  attention[index % attention.length] as LayerAttention

/** The experts of layer `index`, or null where it has an MLP. */
export const expertsAt = (
  { experts, sparse }: DecoderConfig,
  index: number,
): ExpertsConfig | null => (sparse.length === 0 || sparse[index % sparse.length] ? experts : null)

/** A model family: data and two mappings, no behaviour of its own. */
export interface Family {
  readonly name: string
  /** Values of `architectures` in `config.json` that it runs. */
  readonly architectures: readonly string[]
  /** @throws EngineError('model') naming file, key, what was found and what was expected */
  config(json: JsonObject, generation: JsonObject): DecoderConfig
  readonly tensors: TensorNames
}

/** The names an activation may have. The tanh forms are the same function, written differently. */
const ACTIVATIONS = {
  silu: 'silu',
  swish: 'silu',
  gelu: 'gelu',
  gelu_python: 'gelu',
  gelu_new: 'gelu-tanh',
  gelu_fast: 'gelu-tanh',
  gelu_pytorch_tanh: 'gelu-tanh',
  gelu_python_tanh: 'gelu-tanh',
  gelu_accurate: 'gelu-tanh',
  relu: 'relu',
} as const satisfies Record<string, Activation>

const activationNames = Object.keys(ACTIVATIONS) as (keyof typeof ACTIVATIONS)[]
/** Schema of an activation. */
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

/** MLX states no method; every other scheme does, and comes here only where nobody has unpacked it. */
function refuseOtherMethods(config: JsonObject) {
  for (const key of ['quantization', 'quantization_config']) {
    const settings = config[key]
    if (!isJsonObject(settings) || isAbsent(settings.quant_method)) continue
    throw new EngineError(
      'model',
      `${FILE}: "${key}.quant_method" is ${show(settings.quant_method)}, which is not read as it is. Read are BF16, F16 and F32 weights, and MLX's affine 4-bit and 8-bit (which state no quant_method). Use such a version of the model.`,
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
