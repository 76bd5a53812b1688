/** The rules of sampling in float64: the truth that sample.wgsl is held against. */
import type { SampleSettings } from '../sample-settings.ts'

/** What the kernel reads of one token. */
export interface Token {
  logit: number
  /** Times generated, drafts included; bit 31 when it is in the prompt. */
  count: number
  bias: number
  allowed: boolean
}

const IN_PROMPT = 0x80000000

/** Whether counts matter. */
export const isPenalised = (s: SampleSettings): boolean =>
  s.repetition !== 1 || s.presence !== 0 || s.frequency !== 0

/** A logit after penalties, bias, mask and temperature; -Infinity when it is not allowed. */
export function seenLogit({ logit, count, bias, allowed }: Token, s: SampleSettings): number {
  let v = logit
  if (isPenalised(s)) {
    if (count !== 0) v = v > 0 ? v / s.repetition : v * s.repetition
    const times = (count & ~IN_PROMPT) >>> 0
    if (times > 0) v -= s.presence + s.frequency * times
  }
  if (s.biased) v += bias
  if (s.masked && !allowed) return Number.NEGATIVE_INFINITY
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

/** The rank at which the shares of the mass, taken in order, reach `wanted`; the last when they never do. */
function reaching(shares: readonly number[], wanted: number): number {
  let sum = 0
  const at = shares.findIndex((share) => {
    sum += share
    return sum >= wanted
  })
  return at < 0 ? shares.length - 1 : at
}

function sharesOf(values: readonly number[]): number[] {
  const top = Math.max(...values)
  const masses = values.map((v) => Math.exp(v - top))
  const all = masses.reduce((a, b) => a + b, 0)
  return masses.map((mass) => mass / all)
}

/** The values that top-k, top-p, min-p and typical-p leave in, in that order; ties with the last kept stay. */
function filtered(values: Float64Array, s: SampleSettings): Set<number> {
  let kept = [...values].filter(Number.isFinite).sort((a, b) => b - a)
  const top = kept[0]
  if (top === undefined) return new Set()
  const cut = (floor: number): void => {
    kept = kept.filter((v) => v >= floor)
  }
  if (s.topK > 0 && s.topK < kept.length) cut(kept[s.topK - 1]!)
  if (s.topP < 1) cut(kept[reaching(sharesOf(kept), s.topP)]!)
  if (s.minP > 0) cut(top + Math.log(s.minP))
  if (s.typicalP < 1) {
    const shares = sharesOf(kept)
    const entropy = shares.reduce((sum, p) => sum - (p > 0 ? p * Math.log(p) : 0), 0)
    const all = kept.map((value, i) => ({
      value,
      share: shares[i]!,
      // From the values, so that equal ones stay equal.
      far: Math.abs(top - value - Math.log(shares[0]!) - entropy),
    }))
    all.sort((a, b) => a.far - b.far)
    const last =
      all[
        reaching(
          all.map(({ share }) => share),
          s.typicalP,
        )
      ]!
    kept = all.filter(({ far }) => far <= last.far).map(({ value }) => value)
  }
  return new Set(kept)
}

/** The token chosen from values that `seenLogit` gave: the highest, or a Gumbel-max draw among those left in. */
export function chooseToken(values: Float64Array, s: SampleSettings, position: number): number {
  const isDrawn = s.temperature > 0
  const kept = isDrawn ? filtered(values, s) : null
  let best = Number.NEGATIVE_INFINITY
  let choice = 0
  values.forEach((value, token) => {
    if (kept && !kept.has(value)) return
    const noise = isDrawn ? -Math.log(-Math.log(uniformOf(s.seed, position, token))) : 0
    if (value + noise > best) {
      best = value + noise
      choice = token
    }
  })
  return choice
}
