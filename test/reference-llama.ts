/**
 * A Llama forward pass in plain float64 loops, written from the architecture's definition and sharing no code with the
 * engine: the whole sequence at once, no cache, no fusing.
 */
import type { RandomLlama } from './random-llama.ts'

/** Logits after each of the `wanted` positions of `ids`: [vocabulary]. */
export function referenceLogits(
  model: RandomLlama,
  ids: readonly number[],
  wanted: readonly number[],
): Float64Array[] {
  const { sizes } = model
  const tensor = (name: string): Float32Array => {
    const values = model.values.get(name)
    if (!values) throw new Error(`The model has no tensor ${name}.`)
    return values
  }
  const project = (name: string, x: Float64Array): Float64Array => {
    const y = multiply(tensor(`${name}.weight`), x)
    model.values.get(`${name}.bias`)?.forEach((bias, i) => {
      y[i]! += bias
    })
    return y
  }
  const { hidden } = sizes
  const embedding = tensor('model.embed_tokens.weight')
  const rows = ids.map((id) =>
    Float64Array.from(embedding.subarray(id * hidden, (id + 1) * hidden)),
  )
  for (let layer = 0; layer < sizes.layers; layer++) {
    const path = `model.layers.${layer}`
    const queries: Float64Array[] = []
    const keys: Float64Array[] = []
    const values: Float64Array[] = []
    rows.forEach((row, position) => {
      const x = norm(row, tensor(`${path}.input_layernorm.weight`))
      queries.push(rotate(project(`${path}.self_attn.q_proj`, x), position, sizes.headDim))
      keys.push(rotate(project(`${path}.self_attn.k_proj`, x), position, sizes.headDim))
      values.push(project(`${path}.self_attn.v_proj`, x))
    })
    rows.forEach((row, position) => {
      const mixed = attend(sizes, queries[position] as Float64Array, keys, values, position)
      add(row, project(`${path}.self_attn.o_proj`, mixed))
      const x = norm(row, tensor(`${path}.post_attention_layernorm.weight`))
      const gate = project(`${path}.mlp.gate_proj`, x)
      const up = project(`${path}.mlp.up_proj`, x)
      const gated = gate.map((g, i) => (g / (1 + Math.exp(-g))) * up[i]!)
      add(row, project(`${path}.mlp.down_proj`, gated))
    })
  }
  const head = tensor(sizes.tied ? 'model.embed_tokens.weight' : 'lm_head.weight')
  return wanted.map((position) =>
    multiply(head, norm(rows[position] as Float64Array, tensor('model.norm.weight'))),
  )
}

function multiply(weight: Float32Array, x: Float64Array): Float64Array {
  const columns = x.length
  const y = new Float64Array(weight.length / columns)
  for (let row = 0; row < y.length; row++) {
    let sum = 0
    for (let i = 0; i < columns; i++) sum += weight[row * columns + i]! * x[i]!
    y[row] = sum
  }
  return y
}

function add(to: Float64Array, what: Float64Array): void {
  what.forEach((value, i) => {
    to[i]! += value
  })
}

function norm(x: Float64Array, weight: Float32Array): Float64Array {
  const mean = x.reduce((sum, value) => sum + value * value, 0) / x.length
  const scale = 1 / Math.sqrt(mean + 1e-5)
  return x.map((value, i) => value * scale * weight[i]!)
}

/** Turns the pairs (i, i + half) of every head. */
function rotate(x: Float64Array, position: number, headDim: number): Float64Array {
  const half = headDim / 2
  const y = new Float64Array(x.length)
  for (let at = 0; at < x.length; at += headDim) {
    for (let i = 0; i < half; i++) {
      const angle = position * 10_000 ** (-i / half)
      const [a, b] = [x[at + i]!, x[at + i + half]!]
      y[at + i] = a * Math.cos(angle) - b * Math.sin(angle)
      y[at + i + half] = b * Math.cos(angle) + a * Math.sin(angle)
    }
  }
  return y
}

function attend(
  { heads, kvHeads, headDim }: RandomLlama['sizes'],
  query: Float64Array,
  keys: readonly Float64Array[],
  values: readonly Float64Array[],
  position: number,
): Float64Array {
  const y = new Float64Array(heads * headDim)
  for (let head = 0; head < heads; head++) {
    const q = head * headDim
    const kv = Math.floor((head * kvHeads) / heads) * headDim
    const scores = keys.slice(0, position + 1).map((key) => {
      let dot = 0
      for (let i = 0; i < headDim; i++) dot += query[q + i]! * key[kv + i]!
      return dot / Math.sqrt(headDim)
    })
    const highest = Math.max(...scores)
    const weights = scores.map((score) => Math.exp(score - highest))
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    weights.forEach((weight, at) => {
      for (let i = 0; i < headDim; i++) y[q + i]! += (weight / total) * values[at]![kv + i]!
    })
  }
  return y
}
