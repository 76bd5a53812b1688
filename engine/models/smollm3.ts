/** SmolLM3: Llama in which every few layers do not rotate (NoPE, Yang et al. 2025). */
import { z } from 'zod'
import type { JsonObject } from '../weights/json.ts'
import type { DecoderConfig, Family } from './config.ts'
import { assumingTheta, decoderConfig } from './decoder-keys.ts'
import { attentionByType, optionalWindow } from './layer-types.ts'
import { llama } from './llama.ts'
import { parseRotary } from './rotary-config.ts'
import { badKey, positiveInteger, validate } from './validate.ts'

const FILE = 'config.json'
/** The base that transformers assumes. */
const THETA = 2_000_000
const schema = z.object({
  num_hidden_layers: positiveInteger,
  no_rope_layer_interval: positiveInteger.nullish().transform((value) => value ?? 4),
  no_rope_layers: z.array(z.literal([0, 1], '0 or 1'), 'a list of 0 and 1').nullish(),
})

/** 1 at layers that rotate, in spite of the key's name. */
function rotates(json: JsonObject): readonly (0 | 1)[] {
  const read = validate(schema, json, FILE)
  const { no_rope_layers: stated, no_rope_layer_interval: interval } = read
  if (!stated?.length) {
    return Array.from({ length: Math.min(interval, 4096) }, (_, i) => (i === interval - 1 ? 0 : 1))
  }
  if (stated.length !== read.num_hidden_layers) {
    const expected = `${read.num_hidden_layers} of them, one for each layer`
    throw badKey(FILE, 'no_rope_layers', stated.length, expected)
  }
  return stated
}

function attention(json: JsonObject): DecoderConfig['attention'] {
  const rotary = parseRotary(assumingTheta(json, THETA))
  const window = optionalWindow(json)
  const isRotated = rotates(json)
  const pattern = isRotated.map((is) =>
    window !== null && is === 0 ? ('sliding_attention' as const) : ('full_attention' as const),
  )
  return attentionByType(json, pattern, (type, i) => ({
    window: type === 'sliding_attention' ? window : null,
    rotary: isRotated[i % isRotated.length] === 1 ? rotary : null,
  }))
}

export const smollm3: Family = {
  name: 'smollm3',
  architectures: ['SmolLM3ForCausalLM'],
  config: (json, generation) =>
    decoderConfig(json, generation, { attention: attention(json), isTied: true }),
  tensors: llama.tensors,
}
