/** Where a token's keys and values lie in the paged cache; the same in qkv.wgsl, attention.wgsl and their oracles. */

import { f16ToF32, packF16 } from '../formats/half.ts'
import { roundUp } from '../kernel.ts'
import { type KvType, kvTypes } from './fragments.ts'

/** Tokens a page holds. */
export const PAGE = 16

export interface KvShape {
  readonly kvHeads: number
  readonly headDim: number
}

/** Pairs (i, i + half) of a head, padded to two loads of four. */
export const paddedHalf = (headDim: number): number => roundUp(headDim / 2, 8)

/** Pairs that one page takes: keys, then values. */
export const pairsPerPage = ({ kvHeads, headDim }: KvShape): number =>
  2 * kvHeads * PAGE * paddedHalf(headDim)

/** Bytes of one page of one layer. */
export const kvPageBytes = (shape: KvShape, kv: KvType): number =>
  pairsPerPage(shape) * kvTypes[kv].pairBytes

/** Index of the pair of dimension `i` of a key. */
export function keyIndex(
  { kvHeads, headDim }: KvShape,
  page: number,
  head: number,
  token: number,
  i: number,
): number {
  const chunk = (page * 2 * kvHeads + head) * (paddedHalf(headDim) / 4) + Math.floor(i / 4)
  return (chunk * PAGE + token) * 4 + (i % 4)
}

/** Index of the pair of dimension `i` of a value. */
export const valueIndex = (
  { kvHeads, headDim }: KvShape,
  page: number,
  head: number,
  token: number,
  i: number,
): number => (((page * 2 + 1) * kvHeads + head) * PAGE + token) * paddedHalf(headDim) + i

/** A cache of `pairs` pairs, as the host sees the buffer. */
export const cacheArray = (kv: KvType, pairs: number): Float32Array | Uint32Array =>
  kv === 'f16' ? new Uint32Array(pairs) : new Float32Array(pairs * 2)

export function writePair(
  kv: KvType,
  cache: Float32Array | Uint32Array,
  at: number,
  a: number,
  b: number,
): void {
  if (kv === 'f16') cache[at] = packF16(a, b)
  else cache.set([a, b], at * 2)
}

export function readPair(
  kv: KvType,
  cache: Float32Array | Uint32Array,
  at: number,
): [number, number] {
  if (kv === 'f32') return [cache[at * 2]!, cache[at * 2 + 1]!]
  const word = cache[at]!
  return [f16ToF32(word & 0xffff), f16ToF32(word >>> 16)]
}
