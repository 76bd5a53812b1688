/** How long a sequence may get: what config.json states, or what its rotation stretches that to. */
import { expect, test } from 'vitest'
import type { JsonObject } from '../weights/json.ts'
import { longestContext } from './context.ts'
import { llama } from './llama.ts'

const contextOf = (rope: JsonObject | null): number =>
  longestContext(
    llama.config(
      {
        ...{ architectures: ['LlamaForCausalLM'], hidden_size: 64, num_hidden_layers: 2 },
        ...{ num_attention_heads: 4, intermediate_size: 128, vocab_size: 300 },
        ...{ rms_norm_eps: 1e-5, hidden_act: 'silu', max_position_embeddings: 1024 },
        rope_scaling: rope,
      },
      {},
    ),
  )
const yarn = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 1024 }

test('without yarn it is max_position_embeddings, whatever else stretches', () => {
  expect(contextOf(null)).toBe(1024)
  expect(contextOf({ rope_type: 'linear', factor: 4 })).toBe(1024)
})

test('yarn reaches its factor times the original context', () => {
  expect(contextOf(yarn)).toBe(4096)
  expect(contextOf({ ...yarn, factor: 2.5 })).toBe(2560)
})

test('and never less than what is stated', () => {
  expect(contextOf({ ...yarn, original_max_position_embeddings: 128 })).toBe(1024)
})
