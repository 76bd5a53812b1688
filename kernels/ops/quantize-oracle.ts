/**
 * What quantize.wgsl computes, on the CPU: a group's codes, scale and bias, in f32, step by step and in the same order, so
 * that the bits are the same. exact.wgsl says why they do not depend on the adapter.
 */
import { f16ToF32, f32ToF16 } from '../formats/half.ts'

/** How far the search for a group's line goes. */
export interface Search {
  /** Ranges that it begins with: the fraction of the group's own that is clipped at both ends, or added below 0. */
  readonly margins: readonly number[]
  /** Lines tried from each range: its own, then each time the one that fits the last one's codes best. */
  readonly tries: number
}

/** Powers of two. Twice the search would take another 1 to 3 % off the error. */
export const SEARCHES: Readonly<Record<number, Search>> = {
  4: { margins: [0, 1 / 16], tries: 3 },
  8: { margins: [0, -1 / 32], tries: 2 },
}

/** Largest magnitude that a weight may have: f16's. */
export const MOST_WEIGHT = 65504

const { fround } = Math
const word = new Uint32Array(1)
const float = new Float32Array(word.buffer)

/** The leading 12 bits. */
function cut(x: number): number {
  float[0] = x
  word[0]! &= 0xfffff000
  return float[0]!
}

function cutWhole(x: number): number {
  const rest = 20 - Math.min(20, Math.clz32(x))
  return ((x >>> rest) << rest) >>> 0
}

/** Half to even, as WGSL's round. */
function round(x: number): number {
  const nearest = Math.round(x)
  return nearest - x === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest
}

const clamp = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high)

/** As f16; no -0. */
function halfOf(x: number): number {
  const bits = f32ToF16(clamp(x, -MOST_WEIGHT, MOST_WEIGHT))
  return bits === 0x8000 ? 0 : bits
}

/** Scale and bias as f16. */
export interface Line {
  readonly scale: number
  readonly bias: number
}

/** Σ in four lanes, then (x + y) + (z + w), as a vec4f adds up. */
class Sum {
  readonly #lanes = new Float32Array(4)

  add(i: number, x: number): void {
    this.#lanes[i % 4]! += x
  }

  get total(): number {
    const [x, y, z, w] = this.#lanes as unknown as [number, number, number, number]
    return fround(fround(x + y) + fround(z + w))
  }
}

function codesOf(values: Float32Array, { scale, bias }: Line, top: number): number[] {
  const step = f16ToF32(scale)
  const from = f16ToF32(bias)
  const inverse = step > 0 ? fround(1 / step) : 0
  return Array.from(values, (value) => clamp(round(fround(fround(value - from) * inverse)), 0, top))
}

/** The squared error of a line, and the line that fits its codes best. */
function tryLine(values: Float32Array, line: Line, top: number): { error: number; next: Line } {
  const scale = f16ToF32(line.scale)
  const bias = f16ToF32(line.bias)
  const [error, eSum, qeSum] = [new Sum(), new Sum(), new Sum()]
  let qAll = 0
  let qqAll = 0
  for (const [i, q] of codesOf(values, line, top).entries()) {
    const e = cut(fround(fround(values[i]! - bias) - scale * q))
    error.add(i, e * e)
    eSum.add(i, e)
    qeSum.add(i, q * e)
    qAll += q
    qqAll += q * q
  }
  const n = values.length
  const spread = n * qqAll - qAll * qAll
  if (spread === 0) return { error: error.total, next: line }
  const e = eSum.total
  const inverse = fround(1 / cutWhole(spread))
  const more = cut(fround(fround(n * qeSum.total - cut(fround(qAll * e))) * inverse))
  const next = halfOf(Math.max(fround(scale + more), 0))
  const moved = cut(fround(fround(f16ToF32(next) - scale) * qAll))
  const shift = fround(fround(e - moved) / n)
  return { error: error.total, next: { scale: next, bias: halfOf(fround(bias + shift)) } }
}

/** The range of the group, a little wider or narrower. */
function firstLine(low: number, range: number, margin: number, top: number): Line {
  const step = fround(range * fround((1 - 2 * margin) / top))
  return {
    scale: halfOf(range > 0 ? Math.max(step, 2 ** -24) : step),
    bias: halfOf(fround(low + range * margin)),
  }
}

/**
 * Quantizes a group of finite values, none beyond `MOST_WEIGHT`.
 * @param bits 4 or 8
 */
export function quantizeGroup(
  values: Float32Array,
  bits: number,
  { margins, tries }: Search = SEARCHES[bits] as Search,
): Line & { codes: number[]; error: number } {
  const top = 2 ** bits - 1
  const low = Math.min(...values)
  const range = fround(Math.max(...values) - low)
  let best: Line = { scale: 0, bias: 0 }
  let least = Number.POSITIVE_INFINITY
  for (const margin of margins) {
    let line = firstLine(low, range, margin, top)
    for (let i = 0; i < tries; i++) {
      const found = tryLine(values, line, top)
      if (found.error < least) {
        least = found.error
        best = line
      }
      line = found.next
    }
  }
  return { ...best, codes: codesOf(values, best, top), error: least }
}
