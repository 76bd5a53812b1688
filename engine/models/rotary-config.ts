/**
 * What a config says about rotary position embedding, in both spellings: `rope_theta` with `rope_scaling`, and the newer
 * `rope_parameters`. `rotary.ts` has the frequencies that it means.
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
  | {
      readonly kind: 'longrope'
      readonly theta: number
      /** Divide the frequencies of contexts up to the original one, and of longer ones; one for each pair. */
      readonly shortFactors: readonly number[]
      readonly longFactors: readonly number[]
      readonly originalContextLength: number
      /** Multiplies cos and sin. */
      readonly attentionFactor: number
    }

const FILE = 'config.json'
const KINDS = ['default', 'linear', 'dynamic', 'llama3', 'yarn', 'longrope'] as const
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

const longSchema = z.object({
  short_factor: z.array(ratio, 'a list of numbers'),
  long_factor: z.array(ratio, 'a list of numbers'),
  factor: ratio.nullish(),
  attention_factor: positiveNumber.nullish(),
})

/**
 * Reads the rotation out of a `config.json`: `rope_theta` with `rope_scaling` (`rope_type` or `type`), or the newer
 * `rope_parameters`. As in transformers, `rope_scaling` wins over `rope_parameters`, and a theta inside either wins
 * over one outside.
 *
 * @param layerType key of the rotation where there is one for each type of layer
 * @throws EngineError('model') naming the key, what it is and what was expected; unknown types list the known ones
 */
export function parseRotary(json: JsonObject, layerType?: string): RotaryConfig {
  const { rope, key } = rotationOf(json, layerType)
  const theta = parseTheta(json, rope, key)
  const kind = rope.rope_type ?? rope.type ?? 'default'
  switch (kind) {
    case 'default':
      return { kind, theta }
    case 'dynamic':
      // Other frequencies only beyond max_position_embeddings, which is as far as a context goes here.
      validate(linearSchema, rope, FILE, [key])
      return { kind: 'default', theta }
    case 'linear':
      return { kind, theta, factor: validate(linearSchema, rope, FILE, [key]).factor }
    case 'llama3':
      return parseLlama3(json, rope, key, theta)
    case 'yarn':
      return parseYarn(json, rope, key, theta)
    case 'longrope':
    case 'su':
      return parseLong(json, rope, key, theta)
    default:
      throw badKey(FILE, `${key}.rope_type`, kind, `one of ${KINDS.join(', ')}`)
  }
}

/** transformers takes the first of the two dictionaries that is neither null nor empty. */
function isSet(value: unknown): boolean {
  return isJsonObject(value) ? Object.keys(value).length > 0 : value !== undefined && value !== null
}

/** The dictionary that states the rotation, and the key that leads to it. */
function rotationOf(json: JsonObject, layerType?: string): { rope: JsonObject; key: string } {
  const key = isSet(json.rope_scaling) ? 'rope_scaling' : 'rope_parameters'
  const rope = json[key] ?? {}
  if (!isJsonObject(rope)) throw badKey(FILE, key, rope, 'an object or null')
  const nested = Object.keys(rope).find((name) => isJsonObject(rope[name]))
  if (nested === undefined) return { rope, key }
  const own = layerType === undefined ? undefined : rope[layerType]
  if (isJsonObject(own)) return { rope: own, key: `${key}.${layerType}` }
  const expected = layerType === undefined ? 'one rotation for all layers' : `"${layerType}"`
  throw badKey(FILE, `${key}.${nested}`, rope[nested], expected)
}

/** Whether a rotation is stated, beyond its base. */
export const hasRotation = ({ rope_scaling, rope_parameters }: JsonObject): boolean =>
  isSet(rope_scaling) || isSet(rope_parameters)

/** Whether each type of layer has a rotation of its own. */
export function hasRotationByType(json: JsonObject): boolean {
  const rope = isSet(json.rope_scaling) ? json.rope_scaling : json.rope_parameters
  return isJsonObject(rope) && Object.values(rope).some(isJsonObject)
}

/** The share of a head that is turned: `partial_rotary_factor`, inside the rotation or beside it. */
export function rotatedShare(json: JsonObject): number {
  const { rope, key } = hasRotationByType(json)
    ? { rope: {} as JsonObject, key: '' }
    : rotationOf(json)
  const inside = rope.partial_rotary_factor
  const share = inside ?? json.partial_rotary_factor ?? 1
  const name = inside === undefined ? 'partial_rotary_factor' : `${key}.partial_rotary_factor`
  if (typeof share !== 'number' || !(share > 0 && share <= 1)) {
    throw badKey(FILE, name, share, 'a number above 0, at most 1')
  }
  return share
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

function parseLong(json: JsonObject, rope: JsonObject, key: string, theta: number): RotaryConfig {
  const { short_factor, long_factor, factor, attention_factor } = validate(longSchema, rope, FILE, [
    key,
  ])
  const originalContextLength = parseOriginalContext(json, rope, key)
  const stretch = factor ?? Number(json.max_position_embeddings) / originalContextLength
  const inferred =
    stretch <= 1 ? 1 : Math.sqrt(1 + Math.log(stretch) / Math.log(originalContextLength))
  const attentionFactor = attention_factor ?? inferred
  if (!Number.isFinite(attentionFactor)) {
    const expected = 'above 1'
    throw badKey(FILE, 'original_max_position_embeddings', originalContextLength, expected)
  }
  return {
    kind: 'longrope',
    theta,
    shortFactors: short_factor,
    longFactors: long_factor,
    originalContextLength,
    attentionFactor,
  }
}

function yarnScale(factor: number, mscale: number): number {
  return factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1
}
