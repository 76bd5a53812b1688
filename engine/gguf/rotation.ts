/** How positions become angles: a GGUF's keys and tensors of rotation as `rope_theta` and `rope_scaling`. */
import type { JsonObject, JsonValue } from '../weights/json.ts'
import { type GgufSource, type Metadata, refuse, shortest } from './metadata.ts'
import { decodeRows } from './numbers.ts'
import { readAllRows, rowsOf } from './rows.ts'

/** What llama.cpp assumes where a file names no base. */
const DEFAULT_THETA = 10_000

/** Tensors that say how positions turn, and are no weights. */
export const ROTATION_TENSORS = /^(rope_freqs|rope_factors_(long|short))\.weight$/

/**
 * `rope_theta`, `rope_scaling`, `partial_rotary_factor` and what goes with them.
 *
 * @throws EngineError('model') for scaling that is not known
 */
export async function deriveRotation(meta: Metadata, headDim: number): Promise<JsonObject> {
  const scaling = await scalingOf(meta)
  const { original_max_position_embeddings: original, ...rest } = scaling ?? {}
  return {
    rope_scaling: scaling === null ? null : original === undefined ? rest : scaling,
    rope_theta: meta.decimal('rope.freq_base') ?? DEFAULT_THETA,
    ...share(meta, headDim),
  }
}

/** Of a head, where not all of it is turned. */
function share(meta: Metadata, headDim: number): JsonObject {
  const dimensions = meta.number('rope.dimension_count') ?? headDim
  if (dimensions === headDim) return {}
  // Rounding may leave the product just below the whole number that it stands for.
  const exact = dimensions / headDim
  const isLow = Math.floor(headDim * exact) < dimensions
  return { partial_rotary_factor: isLow ? exact * (1 + Number.EPSILON) : exact }
}

async function scalingOf(meta: Metadata): Promise<Record<string, JsonValue> | null> {
  const { source } = meta
  const [short, long] = await Promise.all([
    vector(source, 'rope_factors_short.weight'),
    vector(source, 'rope_factors_long.weight'),
  ])
  const type = meta.text('rope.scaling.type') ?? 'none'
  if (short !== null && long !== null) return longScaling(meta, short, long)
  const freqs = await vector(source, 'rope_freqs.weight')
  if (freqs?.some((factor) => factor !== 1)) return factorScaling(meta, freqs)
  const factor = meta.decimal('rope.scaling.factor') ?? meta.decimal('rope.scale_linear')
  if (type === 'linear' || (type === 'none' && factor !== undefined && factor !== 1)) {
    return factor === undefined ? null : { rope_type: 'linear', factor }
  }
  if (type === 'none') return null
  if (type === 'yarn') return yarnScaling(meta)
  throw refuse(
    source,
    `${meta.architecture}.rope.scaling.type is ${JSON.stringify(type)}, expected none, linear or yarn, or longrope with rope_factors tensors. Use the safetensors form of the model.`,
  )
}

async function vector(source: GgufSource, name: string): Promise<number[] | null> {
  const tensor = source.tensors.get(name)
  if (tensor === undefined) return null
  const rows = { tensor, first: 0, rows: rowsOf(tensor), headDim: null }
  return Array.from(decodeRows(tensor.type, await readAllRows(source, rows)), shortest)
}

function longScaling(meta: Metadata, short: number[], long: number[]): Record<string, JsonValue> {
  const attention = meta.decimal('rope.scaling.attn_factor')
  return {
    rope_type: 'longrope',
    short_factor: short,
    long_factor: long,
    original_max_position_embeddings: meta.needed('rope.scaling.original_context_length'),
    ...(attention === undefined ? {} : { attention_factor: attention }),
  }
}

function yarnScaling(meta: Metadata): Record<string, JsonValue> {
  const optional = (key: string, name: string): Record<string, JsonValue> => {
    const value = meta.decimal(`rope.scaling.${key}`)
    return value === undefined ? {} : { [name]: value }
  }
  const extrapolation = meta.number('rope.scaling.yarn_ext_factor') ?? 1
  if (extrapolation !== 1 && extrapolation >= 0) {
    throw refuse(
      meta.source,
      `rope.scaling.yarn_ext_factor is ${extrapolation}, expected 1. Use the safetensors form of the model.`,
    )
  }
  return {
    rope_type: 'yarn',
    factor: shortest(meta.needed('rope.scaling.factor')),
    original_max_position_embeddings: meta.needed('rope.scaling.original_context_length'),
    ...optional('yarn_beta_fast', 'beta_fast'),
    ...optional('yarn_beta_slow', 'beta_slow'),
    ...optional('yarn_attn_factor', 'attention_factor'),
    // llama.cpp rounds the ramp's bounds always; gpt-oss was trained without.
    ...(meta.architecture === 'gpt-oss' ? { truncate: false } : {}),
  }
}

/** Factors that frequencies are divided by: Llama 3's formula where they follow it, else the factors themselves. */
function factorScaling(meta: Metadata, factors: number[]): Record<string, JsonValue> {
  const known = llama3Of(factors, meta.number('rope.freq_base') ?? DEFAULT_THETA)
  if (known !== null) return known
  return {
    rope_type: 'longrope',
    short_factor: factors,
    long_factor: factors,
    attention_factor: 1,
    original_max_position_embeddings: meta.needed('context_length'),
  }
}

/** Relative error of a factor that F32 arithmetic leaves. */
const NEAR = 2e-5
/** Meta's constants in every Llama that has them. */
const [LOW, HIGH] = [1, 4]

function llama3Of(factors: readonly number[], theta: number): Record<string, JsonValue> | null {
  const factor = factors.at(-1) ?? 1
  if (!(factor > 1)) return null
  const wavelength = (i: number) => 2 * Math.PI * theta ** (i / factors.length)
  // The one between tells the context: 1 / f = (1 − s) / factor + s, s = (context / wavelength − low) / (high − low).
  const between = factors.findIndex((each) => each > 1.001 && each < factor * 0.999)
  if (between < 0) return null
  const smooth = (1 / (factors[between] ?? 1) - 1 / factor) / (1 - 1 / factor)
  const context = Math.round(wavelength(between) * (smooth * (HIGH - LOW) + LOW))
  const follows = factors.every((each, i) => {
    const s = Math.min(Math.max((context / wavelength(i) - LOW) / (HIGH - LOW), 0), 1)
    return Math.abs(each * ((1 - s) / factor + s) - 1) < NEAR
  })
  if (!follows) return null
  return {
    rope_type: 'llama3',
    factor,
    low_freq_factor: LOW,
    high_freq_factor: HIGH,
    original_max_position_embeddings: context,
  }
}
