/** The truth about attention in float64: scores, softmax and the weighted values, whole or span by span. */
import { PAGE, paddedHalf, readHead } from '../lib/kv-layout.ts'
import { partialFloats, SPAN, spansAt, spansOf } from '../lib/spans.ts'
import type { AttentionShape } from './attention.ts'

type Io = Record<string, Float32Array | Uint32Array>

interface Softmax {
  readonly top: number
  readonly sum: number
  readonly values: Float64Array
}

/** A head of a row over the keys from `start` up to `end`, its sink among them where `sink` is a logit. */
function attend(
  one: AttentionShape,
  io: Io,
  place: { row: number; head: number; start: number; end: number; sink: number },
): Softmax {
  const { row, head, start, end, sink } = place
  const { headDim } = one
  const half = headDim / 2
  const sequence = io.rows![row * 4 + 2]!
  const at = (row * one.heads + head) * paddedHalf(headDim)
  const query = Float64Array.from(
    { length: headDim },
    (_, d) => io.q![(at + (d % half)) * 2 + Math.floor(d / half)]!,
  )
  const read = (t: number, part: 0 | 1): Float64Array =>
    readHead(one, io.kv_cache as Uint32Array, {
      page: io.page_table![sequence * one.pages + Math.floor(t / PAGE)]!,
      token: t % PAGE,
      part,
      head: Math.floor(head / (one.heads / one.kvHeads)),
    })
  const scores = Array.from({ length: end - start }, (_, t) => {
    const score = read(start + t, 0).reduce((sum, key, d) => sum + key * query[d]!, 0) * one.scale
    return one.cap > 0 ? one.cap * Math.tanh(score / one.cap) : score
  })
  const top = Math.max(sink, ...scores)
  const weights = scores.map((score) => Math.exp(score - top))
  const sum = weights.reduce((a, b) => a + b, Math.exp(sink - top))
  const values = new Float64Array(headDim)
  weights.forEach((weight, t) => {
    read(start + t, 1).forEach((value, d) => {
      values[d]! += (weight / sum) * value
    })
  })
  return { top, sum, values }
}

/** Writes y, or what the spans of a row leave where it has several and each has a workgroup. */
export function attentionOracle(one: AttentionShape, io: Io, stride: number): void {
  const { heads, headDim, window } = one
  for (let row = 0; row < one.batch; row++) {
    const position = io.rows![row * 4 + 1]!
    const start = window > 0 ? Math.max(0, position + 1 - window) : 0
    const { from, to } = spansAt(position, window)
    for (let head = 0; head < heads; head++) {
      const sink = one.sinks === 1 ? io.sinks![head]! : Number.NEGATIVE_INFINITY
      const of = (first: number, last: number): Softmax =>
        attend(one, io, {
          row,
          head,
          start: Math.max(start, first * SPAN),
          end: Math.min(position + 1, (last + 1) * SPAN),
          sink: last === to ? sink : Number.NEGATIVE_INFINITY,
        })
      if (from === to || one.spans === 1) {
        io.y!.set(of(from, to).values, row * stride + head * headDim)
        continue
      }
      for (let span = from; span <= to; span++) {
        const place = (row * heads + head) * spansOf(one) + span - from
        setPartial(io.partials as Float32Array, place, of(span, span))
      }
    }
  }
}

/** Sets down what a span comes to, in pairs (i, i + half). */
export function setPartial(partials: Float32Array, place: number, one: Softmax): void {
  const half = one.values.length / 2
  const at = place * partialFloats(paddedHalf(half * 2))
  partials.set([one.top, one.sum], at)
  for (let i = 0; i < half; i++) {
    partials.set([one.values[i]!, one.values[half + i]!], at + 4 + i * 2)
  }
}
