/**
 * The frequencies of rotary position embedding. The arithmetic follows `modeling_rope_utils.py` of transformers 5.23 step
 * by step and rounds to float32 where torch does, because a frequency off by 1e-6 turns a phase visibly at position
 * 100,000.
 */
import type { RotaryConfig } from './rotary-config.ts'

export interface RotaryTable {
  /** dimensions / 2 angles a position, float32. Dimension i is paired with i + dimensions / 2. */
  inverseFrequencies: Float32Array
  /** Multiplies cos and sin. */
  attentionFactor: number
}

const f32 = Math.fround

/**
 * The frequencies of a rotation.
 *
 * @param dimensions of a head that are turned, even
 * @param context positions that will be used: longrope has other frequencies for more than the original ones
 * @returns dimensions / 2 inverse frequencies in radians a position, and the factor on cos and sin
 */
export function rotaryTable(config: RotaryConfig, dimensions: number, context = 0): RotaryTable {
  const inverseFrequencies = new Float32Array(dimensions / 2)
  const powers = inverseFrequencies.map((_, i) => config.theta ** f32((2 * i) / dimensions))
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
      inverseFrequencies.set(yarnFrequencies(config, powers, dimensions))
      break
    case 'longrope': {
      const isLong = context > config.originalContextLength
      const factors = isLong ? config.longFactors : config.shortFactors
      inverseFrequencies.set(powers.map((power, i) => 1 / f32(f32(factors[i] ?? 1) * power)))
      break
    }
  }
  return {
    inverseFrequencies,
    attentionFactor: 'attentionFactor' in config ? config.attentionFactor : 1,
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
  dimensions: number,
): Float32Array {
  const dimension = (turns: number) =>
    (dimensions * Math.log(config.originalContextLength / (turns * 2 * Math.PI))) /
    (2 * Math.log(config.theta))
  const round = config.truncate
  const from = round ? Math.floor(dimension(config.betaFast)) : dimension(config.betaFast)
  const to = round ? Math.ceil(dimension(config.betaSlow)) : dimension(config.betaSlow)
  const low = Math.max(from, 0)
  let high = Math.min(to, dimensions - 1)
  if (low === high) high += 0.001 // as the reference: no division by zero
  return powers.map((power, i) => {
    const ramp = Math.min(Math.max(f32(f32(i - f32(low)) / f32(high - low)), 0), 1)
    const kept = f32(1 - ramp)
    const slowed = f32(1 / f32(f32(config.factor) * power))
    return f32(slowed * f32(1 - kept)) + f32(f32(1 / power) * kept)
  })
}
