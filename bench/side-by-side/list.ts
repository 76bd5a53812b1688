/** Who stands beside us, and what is wanted of the ratio ours over theirs. */
import type { Materials } from './materials.ts'

export interface Peer {
  readonly name: string
  /** In `bench/peers`. */
  readonly script: string
  /** On the same adapter, or on the processor by itself. */
  readonly on: 'gpu' | 'cpu'
  /** The very weights that we run: greedy ids must then be ours. Else weights of as many bits. */
  readonly sameWeights: boolean
  /** Takes several prompts at once. */
  readonly many: boolean
  /** What it opens: a folder or file of the materials, with its own options. Throws BenchError where it is missing. */
  options(materials: Materials): Record<string, string>
}

export const PEERS: readonly Peer[] = [
  {
    name: 'llama.cpp Vulkan (node-llama-cpp)',
    script: 'node-llama-cpp.mjs',
    on: 'gpu',
    sameWeights: true,
    many: true,
    options: ({ gguf }) => ({ gguf, gpu: 'vulkan' }),
  },
  {
    name: 'onnxruntime-node WebGPU',
    script: 'onnxruntime-node.mjs',
    on: 'gpu',
    sameWeights: false,
    many: false,
    options: ({ onnx }) => ({ model: onnx('webgpu'), provider: 'webgpu' }),
  },
  {
    name: 'transformers.js WebGPU',
    script: 'transformers-js.mjs',
    on: 'gpu',
    sameWeights: false,
    many: false,
    options: ({ onnx }) => ({ model: onnx('webgpu'), device: 'webgpu' }),
  },
  {
    name: 'doppler-gpu WebGPU',
    script: 'doppler-gpu.mjs',
    on: 'gpu',
    sameWeights: false,
    many: false,
    options: ({ bf16 }) => ({ folder: bf16 }),
  },
  {
    name: 'llama.cpp CPU (node-llama-cpp)',
    script: 'node-llama-cpp.mjs',
    on: 'cpu',
    sameWeights: true,
    many: true,
    options: ({ gguf }) => ({ gguf, gpu: '' }),
  },
  {
    name: 'onnxruntime-node CPU',
    script: 'onnxruntime-node.mjs',
    on: 'cpu',
    sameWeights: false,
    many: false,
    options: ({ onnx }) => ({ model: onnx('cpu'), provider: 'cpu' }),
  },
  {
    name: 'transformers.js CPU',
    script: 'transformers-js.mjs',
    on: 'cpu',
    sameWeights: false,
    many: false,
    options: ({ onnx }) => ({ model: onnx('cpu'), device: 'cpu' }),
  },
  {
    name: 'wllama WASM (Chromium)',
    script: 'wllama.mjs',
    on: 'cpu',
    sameWeights: true,
    many: false,
    options: ({ gguf, folder }) => ({ gguf, folder }),
  },
]
