/** Where a token's keys and values lie in the paged cache, for sizes and oracles; kv-page.wgsl says the same. */

import { f16ToF32, packF16 } from '../formats/half.ts'
import { roundUp } from '../kernel.ts'
import type { KvType } from './fragments.ts'

/** Tokens a page holds. */
export const PAGE = 16

export interface KvShape {
  readonly kvHeads: number
  readonly headDim: number
  readonly kv: KvType
}

/** A head of a token's keys (`part` 0) or values (1). */
export interface KvPlace {
  readonly page: number
  readonly token: number
  readonly part: 0 | 1
  readonly head: number
}

/** Pairs (i, i + half) of a head, padded to two loads of four. */
export const paddedHalf = (headDim: number): number => roundUp(headDim / 2, 8)

/** Whether a head has pairs that no kernel writes and attention reads: they must be zeros. */
export const isKvPadded = ({ headDim }: Pick<KvShape, 'headDim'>): boolean =>
  paddedHalf(headDim) * 2 !== headDim

const PAIR_WORDS = { f32: 2, f16: 1, int8: 0.5 } as const satisfies Record<KvType, number>

const valueWords = ({ kvHeads, headDim, kv }: KvShape): number =>
  2 * kvHeads * PAGE * paddedHalf(headDim) * PAIR_WORDS[kv]

/** u32 words of one page of one layer: keys, values, and for int8 a scale for each head of each token. */
export const pageWords = (shape: KvShape): number =>
  valueWords(shape) + (shape.kv === 'int8' ? 2 * shape.kvHeads * PAGE : 0)

/** Bytes of one page of one layer. */
export const kvPageBytes = (shape: KvShape): number => pageWords(shape) * 4

/** Index, in pairs from the start of the page, of pair `i`. */
function pairPlace(
  { kvHeads, headDim }: KvShape,
  { part, head, token }: KvPlace,
  i: number,
): number {
  const block = part * kvHeads + head
  if (part === 1) return (block * PAGE + token) * paddedHalf(headDim) + i
  const chunk = block * (paddedHalf(headDim) / 4) + Math.floor(i / 4)
  return (chunk * PAGE + token) * 4 + (i % 4)
}

const floats = (cache: Uint32Array): Float32Array =>
  new Float32Array(cache.buffer, cache.byteOffset, cache.length)

const scalePlace = (shape: KvShape, { page, part, head, token }: KvPlace): number =>
  page * pageWords(shape) + valueWords(shape) + (part * shape.kvHeads + head) * PAGE + token

/** Writes one head of a token as the kernels do. */
export function writeHead(
  shape: KvShape,
  cache: Uint32Array,
  place: KvPlace,
  values: ArrayLike<number>,
): void {
  const half = shape.headDim / 2
  const first = place.page * pageWords(shape)
  const top = Math.max(...Array.from(values, Math.abs))
  const factor = top > 0 ? Math.fround(127 / Math.fround(top)) : 0
  const byte = (value: number): number => roundHalfEven(Math.fround(value * factor)) & 255
  for (let i = 0; i < half; i++) {
    const at = pairPlace(shape, place, i)
    const [a, b] = [values[i]!, values[half + i]!]
    if (shape.kv === 'f32') floats(cache).set([a, b], first + at * 2)
    else if (shape.kv === 'f16') cache[first + at] = packF16(a, b)
    else {
      const word = first + Math.floor(at / 2)
      const shift = (at % 2) * 16
      const bytes = (byte(a) | (byte(b) << 8)) << shift
      cache[word] = ((cache[word]! & ~(0xffff << shift)) | bytes) >>> 0
    }
  }
  if (shape.kv === 'int8') floats(cache)[scalePlace(shape, place)] = Math.fround(top) / 127
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor
}

/** Reads one head of a token: [headDim]. */
export function readHead(shape: KvShape, cache: Uint32Array, place: KvPlace): Float64Array {
  const half = shape.headDim / 2
  const first = place.page * pageWords(shape)
  const out = new Float64Array(shape.headDim)
  const scale = shape.kv === 'int8' ? floats(cache)[scalePlace(shape, place)]! : 1
  for (let i = 0; i < half; i++) {
    const at = pairPlace(shape, place, i)
    if (shape.kv === 'f32') {
      out[i] = floats(cache)[first + at * 2]!
      out[half + i] = floats(cache)[first + at * 2 + 1]!
    } else if (shape.kv === 'f16') {
      out[i] = f16ToF32(cache[first + at]! & 0xffff)
      out[half + i] = f16ToF32(cache[first + at]! >>> 16)
    } else {
      const word = cache[first + Math.floor(at / 2)]! >>> ((at % 2) * 16)
      out[i] = scale * ((word << 24) >> 24)
      out[half + i] = scale * ((word << 16) >> 24)
    }
  }
  return out
}
