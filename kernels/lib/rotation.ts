/** Rotation and the places of heads, for tests and oracles of the kernels that turn queries and keys. */
import type { KvType } from './fragments.ts'
import { PAGE, paddedHalf, pageWords, writeHead } from './kv-layout.ts'

interface Heads {
  readonly batch: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly kv: KvType
  /** Pages a sequence may have: the width of the page table. */
  readonly pages: number
}

type Io = Record<string, Float32Array | Uint32Array>

/** (cos, sin) of every position and pair. */
export function rotaryInput({ headDim, pages }: Heads): Float32Array {
  const half = headDim / 2
  const rotary = new Float32Array(pages * PAGE * half * 2)
  for (let p = 0; p < pages * PAGE; p++) {
    for (let i = 0; i < half; i++) {
      const angle = p / 100 ** (i / half)
      rotary.set([Math.cos(angle), Math.sin(angle)], (p * half + i) * 2)
    }
  }
  return rotary
}

/** Where keys and values go, empty, and where queries go. */
export function headOutputs(one: Heads): Io {
  const { batch, heads, kvHeads, headDim, kv, pages } = one
  const fresh = batch * 2 * kvHeads * paddedHalf(headDim) * 2
  return {
    q: new Float32Array(batch * heads * paddedHalf(headDim) * 2),
    [kv === 'int8' ? 'fresh' : 'kv_cache']: new Uint32Array(
      kv === 'int8' ? fresh : pageWords(one) * 2 * pages,
    ),
  }
}

/** Turns the pair (a, b) number `i` of a head. */
export function turned(
  one: Heads,
  rotary: Float32Array,
  position: number,
  i: number,
  [a, b]: readonly [number, number],
): [number, number] {
  const [cos, sin] = rotary.subarray((position * (one.headDim / 2) + i) * 2) as unknown as [
    number,
    number,
  ]
  return [a * cos - b * sin, b * cos + a * sin]
}

/** Puts a head's values at place `head` of padded pairs. */
function setPairs(into: Float32Array, { headDim }: Heads, head: number, values: Float64Array) {
  const half = headDim / 2
  for (let i = 0; i < half; i++) {
    into.set([values[i]!, values[half + i]!], (head * paddedHalf(headDim) + i) * 2)
  }
}

/** Puts head `head` of row `m` (queries first, then keys, then values) where the kernels put it; place + 1 is `at`. */
export function putHead(
  one: Heads,
  io: Io,
  m: number,
  head: number,
  at: number,
  values: Float64Array,
): void {
  const kvHead = head - one.heads
  if (kvHead < 0) {
    setPairs(io.q as Float32Array, one, m * one.heads + head, values)
    return
  }
  if (one.kv === 'int8') {
    setPairs(new Float32Array(io.fresh!.buffer), one, m * 2 * one.kvHeads + kvHead, values)
    return
  }
  const part = kvHead < one.kvHeads ? 0 : 1
  const place = { page: Math.floor((at - 1) / PAGE), token: (at - 1) % PAGE }
  const cache = io.kv_cache as Uint32Array
  writeHead(one, cache, { ...place, part, head: kvHead % one.kvHeads }, values)
}
