/** The rules of sampling in float64: the truth that sample.wgsl is held against. */
export interface SampleSettings {
  temperature: number
  topP: number
  minP: number
  repetition: number
  presence: number
  frequency: number
  topK: number
  seed: number
}

const IN_PROMPT = 0x80000000

/** A logit after penalties and temperature. `count`: times generated; bit 31 when the token is in the prompt. */
export function penalised(value: number, count: number, s: SampleSettings): number {
  let v = value
  if (count !== 0) v = v > 0 ? v / s.repetition : v * s.repetition
  const times = (count & ~IN_PROMPT) >>> 0
  if (times > 0) v -= s.presence + s.frequency * times
  return s.temperature === 0 ? v : v / s.temperature
}

/** PCG3D (Jarzynski and Olano, 2020), first word, as a number inside (0, 1). */
function uniformOf(seed: number, position: number, token: number): number {
  const step = (n: number): number => (Math.imul(n, 1664525) + 1013904223) >>> 0
  let [x, y, z] = [step(seed), step(position), step(token)]
  const mix = (): void => {
    x = (x + Math.imul(y, z)) >>> 0
    y = (y + Math.imul(z, x)) >>> 0
    z = (z + Math.imul(x, y)) >>> 0
  }
  mix()
  x = (x ^ (x >>> 16)) >>> 0
  y = (y ^ (y >>> 16)) >>> 0
  z = (z ^ (z >>> 16)) >>> 0
  mix()
  return ((x >>> 9) + 0.5) * 2 ** -23
}

/** The lowest value that top-k, top-p and min-p leave in; ties with it stay. */
function floorOf(values: Float64Array, s: SampleSettings): number {
  const sorted = Float64Array.from(values).sort().reverse()
  const top = sorted[0]!
  let floor = Number.NEGATIVE_INFINITY
  if (s.topK > 0 && s.topK < sorted.length) floor = sorted[s.topK - 1]!
  if (s.topP < 1) {
    const kept = sorted.filter((v) => v >= floor)
    const mass = kept.reduce((sum, v) => sum + Math.exp(v - top), 0)
    let sum = 0
    for (const v of kept) {
      sum += Math.exp(v - top) / mass
      floor = Math.max(floor, Number.NEGATIVE_INFINITY)
      if (sum >= s.topP) {
        floor = Math.max(floor, v)
        break
      }
    }
  }
  return s.minP > 0 ? Math.max(floor, top + Math.log(s.minP)) : floor
}

/** The token chosen from values that `penalised` gave: the highest, or a Gumbel-max draw among those left in. */
export function choose(values: Float64Array, s: SampleSettings, position: number): number {
  const floor = s.temperature === 0 ? Number.NEGATIVE_INFINITY : floorOf(values, s)
  let best = Number.NEGATIVE_INFINITY
  let choice = 0
  values.forEach((value, token) => {
    if (value < floor) return
    const noise = s.temperature === 0 ? 0 : -Math.log(-Math.log(uniformOf(s.seed, position, token)))
    if (value + noise > best) {
      best = value + noise
      choice = token
    }
  })
  return choice
}
