/** Mixtral: Mistral with a mixture of experts in every layer. */
import { z } from 'zod'
import type { Family } from './config.ts'
import { assumingTheta, decoderConfig, NO_BIASES } from './decoder-keys.ts'
import { chosenExperts } from './expert-keys.ts'
import { slidingWindow } from './layer-types.ts'
import { parseRotary } from './rotary-config.ts'
import { attentionNames, modelNames, preNormNames } from './tensor-names.ts'
import { positiveInteger, validate } from './validate.ts'

const schema = z.object({
  num_local_experts: positiveInteger,
  num_experts_per_tok: positiveInteger,
  intermediate_size: positiveInteger,
})

/** The base that transformers assumes. */
const THETA = 1_000_000

export const mixtral: Family = {
  name: 'mixtral',
  architectures: ['MixtralForCausalLM'],
  config(json, generation) {
    const read = validate(schema, json, 'config.json')
    return {
      ...decoderConfig(json, generation, {
        attention: [
          { window: slidingWindow(json), rotary: parseRotary(assumingTheta(json, THETA)) },
        ],
      }),
      ...NO_BIASES,
      experts: {
        ...chosenExperts(read.num_experts_per_tok, 'num_local_experts', read.num_local_experts),
        intermediateSize: read.intermediate_size,
        renormalise: true,
        routerBias: false,
        bias: false,
        clamp: null,
      },
    }
  },
  tensors: modelNames((path) => ({
    ...preNormNames(path),
    ...attentionNames(path),
    router: `${path}.block_sparse_moe.gate`,
    experts: {
      kind: 'apart',
      expert(index) {
        const expert = `${path}.block_sparse_moe.experts.${index}`
        return { gate: `${expert}.w1`, up: `${expert}.w3`, down: `${expert}.w2` }
      },
    },
  })),
}
