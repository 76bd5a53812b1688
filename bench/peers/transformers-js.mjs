/** transformers.js in Node: its generation loop over onnxruntime-node. */
import { basename, dirname } from 'node:path'
import { AutoModelForCausalLM, env, Tensor } from '@huggingface/transformers'
import { answer, versionOf } from './answer.mjs'

let model

answer({
  async open({ model: file, device }) {
    const folder = dirname(dirname(file))
    env.allowRemoteModels = false
    env.localModelPath = dirname(folder)
    model = await AutoModelForCausalLM.from_pretrained(basename(folder), { dtype: 'q4', device })
    return {
      version: versionOf('@huggingface/transformers'),
      device: device === 'webgpu' ? 'WebGPU provider' : 'CPU provider',
      weights: 'int4 ONNX (requantized)',
    }
  },

  async write(prompts, tokens) {
    if (prompts.length > 1) throw new Error('one prompt at a time')
    const [prompt] = prompts
    const shape = [1, prompt.length]
    const start = performance.now()
    const [ids, times] = [[], []]
    let isPrompt = true
    await model.generate({
      inputs: new Tensor('int64', BigInt64Array.from(prompt, BigInt), shape),
      attention_mask: new Tensor('int64', new BigInt64Array(prompt.length).fill(1n), shape),
      do_sample: false,
      max_new_tokens: tokens,
      min_new_tokens: tokens,
      streamer: {
        // The prompt itself comes first.
        put([values]) {
          if (!isPrompt) {
            ids.push(...values.map(Number))
            times.push(performance.now() - start)
          }
          isPrompt = false
        },
        end() {},
      },
    })
    return [{ ids, times }]
  },

  async close() {
    await model.dispose()
  },
})
