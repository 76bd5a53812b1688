/** onnxruntime-node: its CPU or WebGPU execution provider, driven step by step as its own examples do. */
import * as ort from 'onnxruntime-node'
import { answer, versionOf } from './answer.mjs'

let session
/** Of a layer's cache: heads and their width. */
let kvHeads = 0
let headDim = 0
let layers = []

answer({
  async open({ model, provider }) {
    session = await ort.InferenceSession.create(model, {
      executionProviders: [provider],
      logSeverityLevel: 3,
    })
    layers = session.inputNames.filter((name) => name.startsWith('past_key_values.'))
    const { shape } = session.inputMetadata.find(({ name }) => name === layers[0])
    kvHeads = shape[1]
    headDim = shape[3]
    const device = provider === 'webgpu' ? 'WebGPU provider' : 'CPU provider'
    return { version: versionOf('onnxruntime-node'), device, weights: 'int4 ONNX (requantized)' }
  },

  async write(prompts, tokens) {
    if (prompts.length > 1) throw new Error('one prompt at a time')
    const [prompt] = prompts
    const start = performance.now()
    const [ids, times] = [[], []]
    let [next, past, cache] = [prompt, 0, emptyCache()]
    while (ids.length < tokens) {
      const results = await session.run(feedsOf(next, past, cache))
      past += next.length
      cache = Object.fromEntries(
        layers.map((name) => [name, results[name.replace('past_key_values', 'present')]]),
      )
      next = [argmax(results.logits)]
      ids.push(...next)
      times.push(performance.now() - start)
    }
    return [{ ids, times }]
  },

  async close() {
    await session.release()
  },
})

function emptyCache() {
  const none = () => new ort.Tensor('float32', new Float32Array(0), [1, kvHeads, 0, headDim])
  return Object.fromEntries(layers.map((name) => [name, none()]))
}

function feedsOf(ids, past, cache) {
  const int64 = (values) =>
    new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length])
  const feeds = {
    input_ids: int64(ids),
    attention_mask: int64(new Array(past + ids.length).fill(1)),
    ...cache,
  }
  if (session.inputNames.includes('position_ids')) {
    feeds.position_ids = int64(ids.map((_, i) => past + i))
  }
  return feeds
}

/** The most likely id after the last position. */
function argmax({ data, dims }) {
  const vocabulary = dims.at(-1)
  const first = data.length - vocabulary
  let best = 0
  for (let i = 1; i < vocabulary; i++) if (data[first + i] > data[first + best]) best = i
  return best
}
