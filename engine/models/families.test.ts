/** What each family reads out of its config beyond what Llama's has, and what it refuses. */
import { describe, expect, it } from 'vitest'
import { EngineError } from '../errors.ts'
import type { JsonObject } from '../weights/json.ts'
import type { DecoderConfig } from './config.ts'
import { CONFIGS } from './fixture.ts'
import { familyOf } from './index.ts'

const read = (name: keyof typeof CONFIGS, changes: JsonObject = {}): DecoderConfig => {
  const json = { ...CONFIGS[name], ...changes }
  return familyOf(json).config(json, {})
}
const plain = { kind: 'default', theta: 10000 } as const
const all = { window: null, rotary: plain }
const windowed = { window: 24, rotary: plain }

it.each(Object.entries(CONFIGS))('%s is found by its architecture', (name, json) => {
  const family = familyOf(json)
  expect(family.name).toBe(name)
  expect(family.config(json, { eos_token_id: [3] })).toMatchObject({
    hiddenSize: 64,
    layers: 2,
    heads: 4,
    headDim: 16,
    contextLength: 128,
    vocabularySize: 40,
    eosIds: [3, 2],
  })
})

describe('what differs from Llama', () => {
  const EXPECTED: Record<Exclude<keyof typeof CONFIGS, 'llama'>, Partial<DecoderConfig>> = {
    mistral: { attention: [windowed] },
    mixtral: {
      attention: [all],
      experts: {
        count: 4,
        chosen: 2,
        intermediateSize: 96,
        renormalise: true,
        routerBias: false,
        bias: false,
        clamp: null,
      },
      sparse: [],
    },
    qwen2: { attention: [all], attentionBias: true, outputBias: false, mlpBias: false },
    qwen3: { attention: [all], attentionBias: false, queryKeyNorm: 'head' },
    'qwen3-moe': { queryKeyNorm: 'head', sparse: [true, false], intermediateSize: 96 },
    phi3: { rotaryDimensions: 8, attentionScale: 0.25 },
    gemma2: {
      activation: 'gelu-tanh',
      attention: [windowed, all],
      attentionCap: 50,
      attentionScale: 24 ** -0.5,
      embeddingScale: 8,
      logitCap: 30,
      normOffset: 1,
      normPlacement: 'both',
    },
    gemma3: {
      attention: [
        windowed,
        { window: null, rotary: { kind: 'linear', theta: 1000000, factor: 8 } },
      ],
      attentionCap: null,
      queryKeyNorm: 'head',
    },
    smollm3: { attention: [all, { window: null, rotary: null }] },
    granite: { attentionScale: 0.2, embeddingScale: 6, logitScale: 0.25, residualScale: 0.3 },
    olmo2: { normPlacement: 'after', queryKeyNorm: 'all' },
    gpt2: {
      activation: 'gelu-tanh',
      attention: [{ window: null, rotary: null }],
      intermediateSize: 256,
      learnedPositions: true,
      mlp: 'plain',
      norm: 'layer',
      tiedHead: true,
    },
    illuminator: { embeddingScale: 8, rotaryPairs: 'neighbours', tiedHead: true },
    'illuminator-practical': {
      activation: 'gelu',
      attention: [{ window: null, rotary: null }],
      learnedPositions: true,
      mlp: 'plain',
      norm: 'layer',
    },
    'gpt-oss': {
      attentionBias: true,
      outputBias: true,
      sinks: true,
      experts: {
        count: 4,
        chosen: 2,
        intermediateSize: 96,
        renormalise: true,
        routerBias: true,
        bias: true,
        clamp: { limit: 7, alpha: 1.702 },
      },
    },
  }
  it.each(Object.entries(EXPECTED))('%s', (name, expected) => {
    expect(read(name as keyof typeof CONFIGS)).toMatchObject(expected)
  })

  it('windows of Qwen begin at max_window_layers', () => {
    const on = { use_sliding_window: true, sliding_window: 24, max_window_layers: 1 }
    expect(read('qwen2', on).attention).toEqual([all, windowed])
    expect(read('qwen2', { ...on, max_window_layers: 2 }).attention).toEqual([all])
    expect(read('qwen2', { ...on, use_sliding_window: false }).attention).toEqual([all])
    expect(read('qwen3-moe', on).attention).toEqual([windowed])
  })

  it('layer_types win over the family’s own pattern', () => {
    const layer_types = ['full_attention', 'sliding_attention']
    expect(read('gemma2', { layer_types }).attention).toEqual([all, windowed])
  })

  it('SmolLM3 rotates but every fourth layer where it does not list them', () => {
    const rotates = read('smollm3', { no_rope_layers: null }).attention.map(
      ({ rotary }) => !!rotary,
    )
    expect(rotates).toEqual([true, true, true, false])
  })

  it('Gemma 3 in the newer spelling, too', () => {
    const rope_parameters = {
      full_attention: { rope_type: 'default', rope_theta: 5e5 },
      sliding_attention: { rope_type: 'default', rope_theta: 1e4 },
    }
    const { attention } = read('gemma3', { rope_scaling: null, rope_parameters })
    expect(attention.map(({ rotary }) => rotary?.theta)).toEqual([1e4, 5e5])
  })

  it('GPT-2 divides the scores of each layer by its number where it says so', () => {
    const { attention } = read('gpt2', { scale_attn_by_inverse_layer_idx: true, n_layer: 3 })
    expect(attention.map(({ scale = 1 }) => scale)).toEqual([1, 1 / 2, 1 / 3])
  })

  it('gpt-oss without a rotation has yarn, and families their own base, as in transformers', () => {
    const none = { rope_theta: null, rope_scaling: null, rope_parameters: null }
    expect(read('gpt-oss', none).attention[0].rotary).toMatchObject({
      ...{ kind: 'yarn', theta: 150_000, factor: 32, originalContextLength: 4096, truncate: false },
    })
    const theta = (name: keyof typeof CONFIGS) => read(name, none).attention[0].rotary?.theta
    expect([theta('llama'), theta('mixtral'), theta('smollm3')]).toEqual([1e4, 1e6, 2e6])
  })

  it('biases that an architecture does not have are not looked for, whatever its config says', () => {
    const biased = { attention_bias: true, mlp_bias: true }
    for (const name of ['mistral', 'mixtral', 'phi3'] as const) {
      expect(read(name, biased)).toMatchObject({ attentionBias: false, outputBias: false })
    }
    for (const name of ['mistral', 'phi3', 'qwen2', 'qwen3', 'gemma2', 'olmo2'] as const) {
      expect(read(name, biased).mlpBias).toBe(false)
    }
  })

  it('Gemma 3 has no cap on its scores, whatever its config says', () => {
    expect(read('gemma3', { attn_logit_softcapping: 50 }).attentionCap).toBeNull()
  })

  it('Gemma and GPT-2 tie the head unless they say otherwise, Llama does not', () => {
    const absent = { tie_word_embeddings: null }
    expect(read('gemma2', absent).tiedHead).toBe(true)
    expect(read('smollm3', absent).tiedHead).toBe(true)
    expect(read('llama', absent).tiedHead).toBe(false)
    expect(read('gpt2', { tie_word_embeddings: false }).tiedHead).toBe(false)
  })
})

describe('what is refused', () => {
  const REFUSED: [name: keyof typeof CONFIGS, changes: JsonObject, message: string][] = [
    ['gemma2', { sliding_window: null }, '"sliding_window" is null, expected the window of'],
    ['gemma2', { query_pre_attn_scalar: 0 }, '"query_pre_attn_scalar" is 0, expected a positive'],
    [
      'gemma3',
      { rope_local_base_freq: 1e-9 },
      '"rope_local_base_freq" is 1e-9, expected a number above',
    ],
    ['gpt-oss', { layer_types: ['full_attention'] }, '"layer_types" is 1, expected 2 of them'],
    ['gpt-oss', { layer_types: ['x', 'y'] }, 'expected one of full_attention, sliding_attention'],
    ['smollm3', { no_rope_layers: [1] }, '"no_rope_layers" is 1, expected 2 of them'],
    ['mixtral', { num_experts_per_tok: 5 }, 'expected at most num_local_experts, 4'],
    ['mixtral', { num_local_experts: 5000 }, '"num_local_experts" is 5000, expected at most 1024'],
    ['qwen3-moe', { num_experts: null }, '"num_experts" is null, expected a positive integer'],
    ['phi3', { partial_rotary_factor: 0.1 }, '"partial_rotary_factor" is 0.1, expected a share'],
    ['phi3', { partial_rotary_factor: 1 }, 'expected 8 numbers, one for each pair'],
    [
      'gpt2',
      { scale_attn_by_inverse_layer_idx: true, n_layer: 1e9 },
      '"n_layer" is 1000000000, expected at most 4096',
    ],
    ['granite', { logits_scaling: 0 }, '"logits_scaling" is 0, expected a positive number'],
  ]
  it.each(REFUSED)('%s with %j', (name, changes, message) => {
    expect(() => read(name, changes)).toThrow(EngineError)
    expect(() => read(name, changes)).toThrow(message)
  })
})
