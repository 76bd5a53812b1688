/** Llama's config: what it reads, what it refuses and how it says so; the choice of family. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { describeShared } from '../../test/shared-folder.ts'
import { EngineError } from '../errors.ts'
import type { JsonObject } from '../weights/json.ts'
import { familyOf } from './index.ts'
import { llama } from './llama.ts'

const smol: JsonObject = {
  architectures: ['LlamaForCausalLM'],
  bos_token_id: 1,
  eos_token_id: 2,
  head_dim: 64,
  hidden_act: 'silu',
  hidden_size: 576,
  intermediate_size: 1536,
  max_position_embeddings: 8192,
  num_attention_heads: 9,
  num_hidden_layers: 30,
  num_key_value_heads: 3,
  rms_norm_eps: 1e-5,
  rope_scaling: null,
  rope_theta: 100000,
  tie_word_embeddings: true,
  vocab_size: 49152,
}
const without = (key: string): JsonObject => {
  const { [key]: _, ...rest } = smol
  return rest
}

describe('llama.config', () => {
  it('reads SmolLM2', () => {
    expect(llama.config(smol, {})).toEqual({
      hiddenSize: 576,
      layers: 30,
      heads: 9,
      kvHeads: 3,
      headDim: 64,
      intermediateSize: 1536,
      vocabularySize: 49152,
      contextLength: 8192,
      normEps: 1e-5,
      activation: 'silu',
      norm: 'rms',
      normOffset: 0,
      normPlacement: 'before',
      queryKeyNorm: 'none',
      mlp: 'gated',
      experts: null,
      sparse: [],
      attention: [{ window: null, rotary: { kind: 'default', theta: 100000 } }],
      rotaryDimensions: 64,
      rotaryPairs: 'halves',
      learnedPositions: false,
      attentionScale: 0.125,
      attentionCap: null,
      sinks: false,
      embeddingScale: 1,
      residualScale: 1,
      logitScale: 1,
      logitCap: null,
      tiedHead: true,
      attentionBias: false,
      outputBias: false,
      mlpBias: false,
      bosIds: [1],
      eosIds: [2],
    })
  })

  it('fills in what may be left out', () => {
    const json = { ...smol, num_key_value_heads: null, head_dim: null, tie_word_embeddings: null }
    expect(llama.config(json, {})).toMatchObject({ kvHeads: 9, headDim: 64, tiedHead: false })
  })

  it('lets head_dim differ from hidden size over heads', () => {
    expect(llama.config({ ...smol, head_dim: 128 }, {}).headDim).toBe(128)
  })

  it('gives attention_bias to all four projections', () => {
    const config = llama.config({ ...smol, attention_bias: true, mlp_bias: true }, {})
    expect(config).toMatchObject({ attentionBias: true, outputBias: true, mlpBias: true })
  })

  it('joins the end ids of both files, the generation config first', () => {
    const config = llama.config({ ...smol, eos_token_id: [2, 5] }, { eos_token_id: [7, 2] })
    expect(config.eosIds).toEqual([7, 2, 5])
    expect(llama.config({ ...smol, eos_token_id: null }, {}).eosIds).toEqual([])
  })

  it('knows the spellings of the activations', () => {
    const read = (hidden_act: string) => llama.config({ ...smol, hidden_act }, {}).activation
    const names = ['swish', 'gelu', 'gelu_new', 'gelu_pytorch_tanh', 'relu']
    expect(names.map(read)).toEqual(['silu', 'gelu', 'gelu-tanh', 'gelu-tanh', 'relu'])
  })

  for (const key of ['hidden_size', 'num_hidden_layers', 'vocab_size', 'max_position_embeddings']) {
    it(`refuses a config without ${key}`, () => {
      const message = `config.json: "${key}" is missing, expected a positive integer`
      expect(() => llama.config(without(key), {})).toThrow(message)
    })
  }

  const REFUSED: Record<string, [JsonObject, string]> = {
    'a negative size': [{ hidden_size: -5 }, '"hidden_size" is -5, expected a positive integer'],
    'a size of text': [{ intermediate_size: '8' }, '"intermediate_size" is "8"'],
    'a fractional count': [{ num_hidden_layers: 1.5 }, '"num_hidden_layers" is 1.5'],
    'heads that share badly': [
      { num_key_value_heads: 4 },
      '"num_key_value_heads" is 4, expected a divisor of num_attention_heads, 9',
    ],
    'hidden size that shares badly': [
      { head_dim: null, num_attention_heads: 10, num_key_value_heads: 5 },
      '"num_attention_heads" is 10, expected a divisor of hidden_size, 576',
    ],
    'an odd head': [{ head_dim: 65 }, '"head_dim" is 65, expected an even number'],
    'an odd derived head': [
      { head_dim: null, hidden_size: 27 },
      '"hidden_size / num_attention_heads" is 3, expected an even number',
    ],
    'an unknown activation': [
      { hidden_act: 'tanh' },
      '"hidden_act" is "tanh", expected one of silu',
    ],
    'an activation that is a property of every object': [
      { hidden_act: 'toString' },
      'expected one of',
    ],
    'an epsilon of zero': [{ rms_norm_eps: 0 }, '"rms_norm_eps" is 0, expected a positive number'],
    'a bias of text': [{ mlp_bias: 'no' }, '"mlp_bias" is "no", expected true or false'],
    'a bad end id': [{ eos_token_id: [2, 'x'] }, '"eos_token_id" is [2, "x"], expected a token id'],
    'an end id beyond the vocabulary': [
      { eos_token_id: 49152 },
      '"eos_token_id" is 49152, expected below vocab_size, 49152',
    ],
    'an unknown rotation': [{ rope_scaling: { type: 'ntk' } }, 'expected one of default, linear'],
  }
  for (const [what, [changes, message]] of Object.entries(REFUSED)) {
    it(`refuses ${what}`, () => {
      const read = () => llama.config({ ...smol, ...changes }, {})
      expect(read).toThrow(EngineError)
      expect(read).toThrow('config.json: ')
      expect(read).toThrow(message)
    })
  }

  it('lists every wrong key at once, and names the other file', () => {
    const read = () => llama.config({ ...smol, hidden_size: 0, vocab_size: null }, {})
    expect(read).toThrow(/"hidden_size" is 0.*"vocab_size" is null/)
    expect(() => llama.config(smol, { eos_token_id: -1 })).toThrow(
      'generation_config.json: "eos_token_id" is -1',
    )
  })

  it('names tensors as Hugging Face does', () => {
    expect(llama.tensors.layer(7)).toMatchObject({
      attentionNorm: 'model.layers.7.input_layernorm',
      q: 'model.layers.7.self_attn.q_proj',
      down: 'model.layers.7.mlp.down_proj',
    })
  })
})

describe('familyOf', () => {
  it('finds Llama', () => expect(familyOf(smol)).toBe(llama))

  it('names an unknown architecture and lists the known ones', () => {
    const read = () => familyOf({ architectures: ['MambaForCausalLM'] })
    expect(read).toThrow(EngineError)
    expect(read).toThrow(
      'architecture "MambaForCausalLM" is not supported; supported: LlamaForCausalLM, MistralForCausalLM',
    )
  })

  it('says when architectures is missing or no list', () => {
    expect(() => familyOf({})).toThrow('"architectures" is missing, expected a list')
    expect(() => familyOf({ architectures: [] })).toThrow('"architectures" is []')
    expect(() => familyOf({ architectures: [3] })).toThrow('"architectures" is [3]')
  })
})

const folders = ['llama', 'llama-mha-untied', 'llama3-rope', 'llama-yarn', 'llama-linear-rope']
describeShared('the golden configs', (shared) => {
  for (const folder of folders) {
    it(`reads ${folder}`, () => {
      const json = (name: string) =>
        JSON.parse(
          readFileSync(join(shared, 'goldens', 'tiny', folder, name), 'utf8'),
        ) as JsonObject
      const config = json('config.json')
      const read = familyOf(config).config(config, json('generation_config.json'))
      expect(read).toMatchObject({ hiddenSize: 64, headDim: 16, layers: 3, eosIds: [2] })
      expect(read.attention[0].rotary?.kind).toBe(
        { 'llama3-rope': 'llama3', 'llama-yarn': 'yarn', 'llama-linear-rope': 'linear' }[folder] ??
          'default',
      )
    })
  }
})
