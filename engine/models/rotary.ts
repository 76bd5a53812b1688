/**
 * Rotary position embedding: what a config says about it, and the frequencies it means. The arithmetic follows
 * `modeling_rope_utils.py` of transformers 5.23 step by step and rounds to float32 where torch does, because a
 * frequency off by 1e-6 turns a phase visibly at position 100,000.
 */
import { z } from 'zod'
import { isJsonObject, type JsonObject, show } from '../weights/json.ts'
import { badKey, positiveInteger, positiveNumber, validate } from './validate.ts'

/** How positions become angles; `theta` is the base of the frequencies. */
export type RotaryConfig =
  | { readonly kind: 'default'; readonly theta: number }
  | { readonly kind: 'linear'; readonly theta: number; readonly factor: number }
  | {
      readonly kind: 'llama3'
      readonly theta: number
      readonly factor: number
      readonly lowFreqFactor: number
      readonly highFreqFactor: number
      readonly originalContextLength: number
    }
  | {
      readonly kind: 'yarn'
      readonly theta: number
      readonly factor: number
      readonly originalContextLength: number
      readonly betaFast: number
      readonly betaSlow: number
      /** Multiplies cos and sin. Resolved from `attention_factor`, `mscale`, `mscale_all_dim` or `factor`. */
      readonly attentionFactor: number
      /** Whether the bounds of the ramp are rounded to whole dimensions. */
      readonly truncate: boolean
    }

export interface RotaryTable {
  /** headDim / 2 angles a position, float32. Dimension i is paired with i + headDim / 2. */
  inverseFrequencies: Float32Array
  /** Multiplies cos and sin. */
  attentionFactor: number
}

const FILE = 'config.json'
const KINDS = ['default', 'linear', 'llama3', 'yarn'] as const
/** What transformers assumes when a config names no base. */
const DEFAULT_THETA = 10_000

const RATIO = 'a number from 0.001 to 1000000'
/** Wide of any model; inside it no frequency leaves float32. */
const ratio = z.number(RATIO).min(1e-3, RATIO).max(1e6, RATIO)
const linearSchema = z.object({ factor: ratio })
const llama3Schema = z.object({
  factor: ratio,
  low_freq_factor: ratio,
  high_freq_factor: ratio,
})
const number = z.number('a number').nullish()
const yarnSchema = z.object({
  factor: ratio.nullish(),
  beta_fast: number,
  beta_slow: number,
  mscale: number,
  mscale_all_dim: number,
  attention_factor: positiveNumber.nullish(),
  truncate: z.boolean('true or false').nullish(),
})

/**
 * Reads the rotation out of a `config.json`: `rope_theta` with `rope_scaling` (`rope_type` or `type`), or the newer
 * `rope_parameters`. As in transformers, `rope_scaling` wins over `rope_parameters`, and a theta inside either wins
 * over one outside.
 *
 * @throws EngineError('model') naming the key, what it is and what was expected; unknown types list the known ones
 */
export function parseRotary(json: JsonObject): RotaryConfig {
  const key = isSet(json.rope_scaling) ? 'rope_scaling' : 'rope_parameters'
  const rope = json[key] ?? {}
  if (!isJsonObject(rope)) throw badKey(FILE, key, rope, 'an object or null')
  const nested = Object.keys(rope).find((name) => isJsonObject(rope[name]))
  if (nested !== undefined) {
    throw badKey(FILE, `${key}.${nested}`, rope[nested], 'one rotation for all layers')
  }
  refusePartial(json, rope, key)
  const theta = parseTheta(json, rope, key)
  const kind = rope.rope_type ?? rope.type ?? 'default'
  switch (kind) {
    case 'default':
      return { kind, theta }
    case 'linear':
      return { kind, theta, factor: validate(linearSchema, rope, FILE, [key]).factor }
    case 'llama3':
      return parseLlama3(json, rope, key, theta)
    case 'yarn':
      return parseYarn(json, rope, key, theta)
    default:
      throw badKey(FILE, `${key}.rope_type`, kind, `one of ${KINDS.join(', ')}`)
  }
}

/** transformers takes the first of the two dictionaries that is neither null nor empty. */
function isSet(value: unknown): boolean {
  return isJsonObject(value) ? Object.keys(value).length > 0 : value !== undefined && value !== null
}

function refusePartial(json: JsonObject, rope: JsonObject, key: string) {
  const inside = rope.partial_rotary_factor
  const part = inside ?? json.partial_rotary_factor ?? 1
  const name = inside === undefined ? 'partial_rotary_factor' : `${key}.partial_rotary_factor`
  if (part !== 1) throw badKey(FILE, name, part, '1: rotating a part of a head is not supported')
}

function parseTheta(json: JsonObject, rope: JsonObject, key: string): number {
  const inside = rope.rope_theta ?? null
  const theta = inside ?? json.rope_theta ?? DEFAULT_THETA
  if (typeof theta !== 'number' || !(theta > 1)) {
    const name = inside === null ? 'rope_theta' : `${key}.rope_theta`
    throw badKey(FILE, name, theta, 'a number above 1')
  }
  return theta
}

/** A value beside the rotation wins over one inside it; without either it is the model's own context. */
function parseOriginalContext(json: JsonObject, rope: JsonObject, key: string): number {
  const names = { original_max_position_embeddings: positiveInteger.nullish() }
  const schema = z.object({ ...names, max_position_embeddings: positiveInteger })
  const outside = validate(schema, json, FILE)
  const inside = validate(z.object(names), rope, FILE, [key])
  return (
    outside.original_max_position_embeddings ??
    inside.original_max_position_embeddings ??
    outside.max_position_embeddings
  )
}

function parseLlama3(json: JsonObject, rope: JsonObject, key: string, theta: number): RotaryConfig {
  const { factor, low_freq_factor, high_freq_factor } = validate(llama3Schema, rope, FILE, [key])
  if (high_freq_factor <= low_freq_factor) {
    const expected = `above low_freq_factor, which is ${show(low_freq_factor)}`
    throw badKey(FILE, `${key}.high_freq_factor`, high_freq_factor, expected)
  }
  return {
    kind: 'llama3',
    theta,
    factor,
    lowFreqFactor: low_freq_factor,
    highFreqFactor: high_freq_factor,
    originalContextLength: parseOriginalContext(json, rope, key),
  }
}

function parseYarn(json: JsonObject, rope: JsonObject, key: string, theta: number): RotaryConfig {
  const yarn = validate(yarnSchema, rope, FILE, [key])
  const originalContextLength = parseOriginalContext(json, rope, key)
  const { max_position_embeddings: contextLength } = json
  const factor = yarn.factor ?? Number(contextLength) / originalContextLength
  const { mscale, mscale_all_dim: allDim } = yarn
  const inferred =
    mscale && allDim ? yarnScale(factor, mscale) / yarnScale(factor, allDim) : yarnScale(factor, 1)
  const attentionFactor = yarn.attention_factor ?? inferred
  if (!(attentionFactor > 0 && Number.isFinite(attentionFactor))) {
    const expected = `with mscale_all_dim a positive scale, not ${attentionFactor}`
    throw badKey(FILE, `${key}.mscale`, mscale, expected)
  }
  // `||` as the reference has it: null and 0 both mean the paper's values.
  const betaFast = yarn.beta_fast || 32
  const betaSlow = yarn.beta_slow || 1
  if (!(betaSlow > 0 && betaFast >= betaSlow)) {
    const expected = `at least beta_slow (${betaSlow}), both positive`
    throw badKey(FILE, `${key}.beta_fast`, betaFast, expected)
  }
  return {
    kind: 'yarn',
    theta,
    factor,
    originalContextLength,
    betaFast,
    betaSlow,
    attentionFactor,
    truncate: yarn.truncate ?? true,
  }
}

function yarnScale(factor: number, mscale: number): number {
  return factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1
}

const f32 = Math.fround

/**
 * The frequencies of a rotation.
 *
 * @param headDim size of a head, even
 * @returns headDim / 2 inverse frequencies in radians a position, and the factor on cos and sin
 */
export function rotaryTable(config: RotaryConfig, headDim: number): RotaryTable {
  const inverseFrequencies = new Float32Array(headDim / 2)
  const powers = inverseFrequencies.map((_, i) => config.theta ** f32((2 * i) / headDim))
  switch (config.kind) {
    case 'default':
      inverseFrequencies.set(powers.map((power) => 1 / power))
      break
    case 'linear':
      inverseFrequencies.set(powers.map((power) => f32(1 / power) / f32(config.factor)))
      break
    case 'llama3':
      inverseFrequencies.set(powers.map((power) => llama3Frequency(config, f32(1 / power))))
      break
    case 'yarn':
      inverseFrequencies.set(yarnFrequencies(config, powers, headDim))
      break
  }
  return {
    inverseFrequencies,
    attentionFactor: config.kind === 'yarn' ? config.attentionFactor : 1,
  }
}

/** Long waves are slowed by `factor`, short ones kept, those between blended. */
function llama3Frequency(config: RotaryConfig & { kind: 'llama3' }, frequency: number): number {
  const { factor, lowFreqFactor: low, highFreqFactor: high, originalContextLength: old } = config
  const wavelength = f32(f32(2 * Math.PI) / frequency)
  if (wavelength > f32(old / low)) return frequency / factor
  if (wavelength < f32(old / high)) return frequency
  const smooth = f32(f32(f32(old / wavelength) - f32(low)) / f32(high - low))
  return f32(f32(f32(1 - smooth) * frequency) / f32(factor)) + f32(smooth * frequency)
}

/** Dimensions that turn often are kept, those that turn rarely are slowed by `factor`, a ramp lies between. */
function yarnFrequencies(
  config: RotaryConfig & { kind: 'yarn' },
  powers: Float32Array,
  headDim: number,
): Float32Array {
  const dimension = (turns: number) =>
    (headDim * Math.log(config.originalContextLength / (turns * 2 * Math.PI))) /
    (2 * Math.log(config.theta))
  const round = config.truncate
  const from = round ? Math.floor(dimension(config.betaFast)) : dimension(config.betaFast)
  const to = round ? Math.ceil(dimension(config.betaSlow)) : dimension(config.betaSlow)
  const low = Math.max(from, 0)
  let high = Math.min(to, headDim - 1)
  if (low === high) high += 0.001 // as the reference: no division by zero
  return powers.map((power, i) => {
    const ramp = Math.min(Math.max(f32(f32(i - f32(low)) / f32(high - low)), 0), 1)
    const kept = f32(1 - ramp)
    const slowed = f32(1 / f32(f32(config.factor) * power))
    return f32(slowed * f32(1 - kept)) + f32(f32(1 / power) * kept)
  })
}
