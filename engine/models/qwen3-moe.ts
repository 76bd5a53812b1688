/** Qwen3-MoE: Qwen3 with a mixture of experts in most layers. */
import { z } from 'zod'
import type { JsonObject } from '../weights/json.ts'
import type { DecoderConfig, Family } from './config.ts'
import { decoderConfig } from './decoder-keys.ts'
import { chosenExperts } from './expert-keys.ts'
import { optionalWindow } from './layer-types.ts'
import { parseRotary } from './rotary-config.ts'
import {
  attentionNames,
  mlpNames,
  modelNames,
  preNormNames,
  queryKeyNormNames,
} from './tensor-names.ts'
import { badKey, flagOr, nonNegativeInteger, positiveInteger, validate } from './validate.ts'

const schema = z.object({
  num_hidden_layers: positiveInteger,
  num_experts: positiveInteger.nullish(),
  num_local_experts: positiveInteger.nullish(),
  num_experts_per_tok: positiveInteger,
  moe_intermediate_size: positiveInteger,
  norm_topk_prob: flagOr(false),
  decoder_sparse_step: positiveInteger.nullish(),
  mlp_only_layers: z.array(nonNegativeInteger, 'a list of layers').nullish(),
})

function sparseLayers(json: JsonObject): DecoderConfig['sparse'] {
  const read = validate(schema, json, 'config.json')
  const dense = new Set(read.mlp_only_layers)
  const step = read.decoder_sparse_step ?? 1
  if (dense.size === 0 && step === 1) return []
  const isSparse = (_: unknown, i: number): boolean => !dense.has(i) && (i + 1) % step === 0
  return Array.from({ length: Math.min(read.num_hidden_layers, 4096) }, isSparse)
}

export const qwen3Moe: Family = {
  name: 'qwen3-moe',
  architectures: ['Qwen3MoeForCausalLM'],
  config(json, generation) {
    const read = validate(schema, json, 'config.json')
    // The hub's configs say num_experts, newer ones num_local_experts.
    const key = read.num_local_experts ? 'num_local_experts' : 'num_experts'
    const count = read[key]
    if (!count) throw badKey('config.json', key, json[key], 'a positive integer')
    return {
      ...decoderConfig(json, generation, {
        attention: [{ window: optionalWindow(json), rotary: parseRotary(json) }],
      }),
      queryKeyNorm: 'head',
      mlpBias: false,
      sparse: sparseLayers(json),
      experts: {
        ...chosenExperts(read.num_experts_per_tok, key, count),
        intermediateSize: read.moe_intermediate_size,
        renormalise: read.norm_topk_prob,
        routerBias: false,
        bias: false,
        clamp: null,
      },
    }
  },
  tensors: modelNames((path) => ({
    ...preNormNames(path),
    ...attentionNames(path),
    ...queryKeyNormNames(path),
    ...mlpNames(path),
    router: `${path}.mlp.gate`,
    experts: { kind: 'apart', expert: (index) => expertNames(`${path}.mlp.experts.${index}`) },
  })),
}

const expertNames = (path: string) => ({
  gate: `${path}.gate_proj`,
  up: `${path}.up_proj`,
  down: `${path}.down_proj`,
})
