/** Phi-3 and Phi-4: Llama with fused projections, a part of each head turned, and longrope in the long ones. */
import type { DecoderConfig, Family } from './config.ts'
import { decoderConfig, NO_BIASES } from './decoder-keys.ts'
import { slidingWindow } from './layer-types.ts'
import { parseRotary } from './rotary-config.ts'
import { modelNames, preNormNames } from './tensor-names.ts'
import { badKey } from './validate.ts'

const FILE = 'config.json'

export const phi3: Family = {
  name: 'phi3',
  architectures: ['Phi3ForCausalLM'],
  config(json, generation) {
    const rotary = parseRotary(json)
    const attention: DecoderConfig['attention'] = [{ window: slidingWindow(json), rotary }]
    const config = { ...decoderConfig(json, generation, { attention }), ...NO_BIASES }
    if (rotary.kind !== 'longrope') return config
    const pairs = config.rotaryDimensions / 2
    for (const [name, factors] of [
      ['short_factor', rotary.shortFactors],
      ['long_factor', rotary.longFactors],
    ] as const) {
      if (factors.length === pairs) continue
      throw badKey(FILE, `rope_scaling.${name}`, factors, `${pairs} numbers, one for each pair`)
    }
    return config
  },
  tensors: modelNames((path) => {
    const qkv = `${path}.self_attn.qkv_proj`
    const gateUp = `${path}.mlp.gate_up_proj`
    return {
      ...preNormNames(path),
      q: qkv,
      k: qkv,
      v: qkv,
      o: `${path}.self_attn.o_proj`,
      gate: gateUp,
      up: gateUp,
      down: `${path}.mlp.down_proj`,
    }
  }),
}
