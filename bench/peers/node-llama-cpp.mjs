/** node-llama-cpp: llama.cpp in Node, on the CPU or through Vulkan. */
import { availableParallelism } from 'node:os'
import { getLlama, LlamaLogLevel } from 'node-llama-cpp'
import { answer, versionOf } from './answer.mjs'

const CONTEXT = 640
const MOST_SEQUENCES = 8

// Its default, four at least, spins in its barriers where there are fewer cores.
const THREADS = availableParallelism()

let llama
let context
let sequences = []

answer({
  async open({ gguf, gpu }) {
    const isGpu = gpu !== ''
    llama = await getLlama({
      gpu: isGpu ? gpu : false,
      build: 'never',
      logLevel: LlamaLogLevel.error,
      progressLogs: false,
      maxThreads: THREADS,
    })
    const device = isGpu ? (await llama.getGpuDeviceNames()).join(', ') : `${THREADS} threads`
    if (isGpu && device === '') throw new Error(`${gpu} finds no device: it would run on the CPU`)
    const model = await llama.loadModel({ modelPath: gguf, gpuLayers: isGpu ? 'max' : 0 })
    const layers = model.fileInsights.totalLayers
    if (isGpu && model.gpuLayers < layers) {
      throw new Error(`only ${model.gpuLayers} of ${layers} layers are on ${device}`)
    }
    context = await model.createContext({
      contextSize: CONTEXT,
      sequences: MOST_SEQUENCES,
      threads: THREADS,
    })
    sequences = Array.from({ length: MOST_SEQUENCES }, () => context.getSequence())
    return {
      version: versionOf('node-llama-cpp'),
      device: isGpu ? `${device}, ${model.gpuLayers} of ${layers} layers` : device,
      weights: 'Q4_1 GGUF',
    }
  },

  write: (prompts, tokens) =>
    Promise.all(prompts.map((prompt, i) => writeOne(sequences[i], prompt, tokens))),

  async close() {
    await llama.dispose()
  },
})

async function writeOne(sequence, prompt, tokens) {
  await sequence.clearHistory()
  const start = performance.now()
  const [ids, times] = [[], []]
  for await (const id of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
    ids.push(id)
    times.push(performance.now() - start)
    if (ids.length === tokens) break
  }
  return { ids, times }
}
