/** A checkpoint that fits its config passes and says how it is packed; one tensor wrong in any way is named. */
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { describeShared } from '../../test/shared-folder.ts'
import { EngineError } from '../errors.ts'
import { familyOf } from '../models/index.ts'
import { openCheckpoint } from './checkpoint.ts'
import { type CheckedTensors, checkTensors } from './expected.ts'
import {
  encodeSafetensors,
  type FixtureTensor,
  removeFolder,
  writeFolder,
  zeros,
} from './fixture.ts'
import { unpacked } from './packed/index.ts'

const made: string[] = []
afterEach(async () => {
  for (const folder of made.splice(0)) await removeFolder(folder)
})

const base = {
  architectures: ['LlamaForCausalLM'],
  hidden_act: 'silu',
  hidden_size: 64,
  intermediate_size: 96,
  max_position_embeddings: 128,
  num_attention_heads: 4,
  num_hidden_layers: 1,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
  vocab_size: 40,
}

/** The tensors that `base` implies: one layer, tied, in the three plain types. */
const right = (): Record<string, FixtureTensor> => ({
  'model.embed_tokens.weight': zeros('BF16', 40, 64),
  'model.layers.0.input_layernorm.weight': zeros('F32', 64),
  'model.layers.0.self_attn.q_proj.weight': zeros('BF16', 64, 64),
  'model.layers.0.self_attn.k_proj.weight': zeros('F16', 32, 64),
  'model.layers.0.self_attn.v_proj.weight': zeros('F32', 32, 64),
  'model.layers.0.self_attn.o_proj.weight': zeros('BF16', 64, 64),
  'model.layers.0.post_attention_layernorm.weight': zeros('BF16', 64),
  'model.layers.0.mlp.gate_proj.weight': zeros('BF16', 96, 64),
  'model.layers.0.mlp.up_proj.weight': zeros('BF16', 96, 64),
  'model.layers.0.mlp.down_proj.weight': zeros('BF16', 64, 96),
  'model.norm.weight': zeros('BF16', 64),
})
const Q = 'model.layers.0.self_attn.q_proj'

async function check(
  changes: Record<string, FixtureTensor | null> = {},
  config: object = {},
): Promise<CheckedTensors> {
  const tensors = Object.entries({ ...right(), ...changes }).filter(
    (pair): pair is [string, FixtureTensor] => pair[1] !== null,
  )
  const folder = await writeFolder({
    'config.json': { ...base, ...config },
    'model.safetensors': encodeSafetensors(Object.fromEntries(tensors)),
  })
  made.push(folder)
  return checkFolder(folder)
}

async function checkFolder(folder: string): Promise<CheckedTensors> {
  const stored = await openCheckpoint(folder)
  try {
    const checkpoint = await unpacked(stored)
    const family = familyOf(checkpoint.config)
    const config = family.config(checkpoint.config, checkpoint.generationConfig)
    return checkTensors(checkpoint, config, family.tensors)
  } finally {
    await stored.close()
  }
}

async function refusal(...of: Parameters<typeof check>): Promise<string> {
  const error: unknown = await check(...of).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(EngineError)
  expect((error as EngineError).code).toBe('model')
  expect((error as EngineError).message).toContain(made.at(-1))
  return (error as EngineError).message
}

/** A 4-bit, group-32 packing of q. */
const packed = {
  [`${Q}.weight`]: zeros('U32', 64, 8),
  [`${Q}.scales`]: zeros('F16', 64, 2),
  [`${Q}.biases`]: zeros('F16', 64, 2),
}
const four = { quantization: { bits: 4, group_size: 32 } }

describe('a checkpoint that fits', () => {
  it('passes, tied, in a mix of types', async () => {
    const { head, formats, parameters } = await check()
    expect(head).toBe('model.embed_tokens')
    expect(formats.get('model.layers.0.self_attn.k_proj')).toEqual({ kind: 'float', dtype: 'F16' })
    expect(formats.size).toBe(8)
    const layer = 2 * 64 + 2 * 64 * 64 + 2 * 32 * 64 + 3 * 64 * 96
    expect(parameters).toBe(40 * 64 + layer + 64)
  })

  it('uses a head of its own, tied or not', async () => {
    const head = { 'lm_head.weight': zeros('F32', 40, 64) }
    expect((await check(head)).head).toBe('lm_head')
    expect((await check(head, { tie_word_embeddings: false })).head).toBe('lm_head')
  })

  it('passes packed where the checkpoint has scales and plain elsewhere', async () => {
    const { formats } = await check(packed, four)
    expect(formats.get(Q)).toEqual({ kind: 'affine', bits: 4, groupSize: 32 })
    expect(formats.get('model.embed_tokens')).toEqual({ kind: 'float', dtype: 'BF16' })
  })

  it('honours an override', async () => {
    const eight = { ...packed, [`${Q}.weight`]: zeros('U32', 64, 16) }
    const quantization = { bits: 4, group_size: 32, [Q]: { bits: 8, group_size: 32 } }
    expect((await check(eight, { quantization })).formats.get(Q)).toMatchObject({ bits: 8 })
  })

  it('passes with biases, and with what old exports leave behind', async () => {
    await check(
      {
        [`${Q}.bias`]: zeros('F32', 64),
        'model.layers.0.self_attn.k_proj.bias': zeros('F32', 32),
        'model.layers.0.self_attn.v_proj.bias': zeros('F32', 32),
        'model.layers.0.self_attn.o_proj.bias': zeros('F32', 64),
        'model.layers.0.self_attn.rotary_emb.inv_freq': zeros('F32', 8),
      },
      { attention_bias: true },
    )
  })
})

describe('a checkpoint that does not fit', () => {
  it('names a missing tensor, its shape and what is near', async () => {
    const message = await refusal({ [`${Q}.weight`]: null })
    expect(message).toContain(`"${Q}.weight" is missing, expected with shape [64, 64]`)
    expect(message).toContain('k_proj.weight"')
  })

  it('names a missing head that is not tied', async () => {
    const message = await refusal({}, { tie_word_embeddings: false })
    expect(message).toContain('"lm_head.weight" is missing, expected with shape [40, 64]')
  })

  it('names a wrong shape', async () => {
    const message = await refusal({ 'model.norm.weight': zeros('F32', 63) })
    expect(message).toContain('"model.norm.weight" has shape [63], expected [64]')
    expect(await refusal({ [`${Q}.weight`]: zeros('F32', 64, 64, 1) })).toContain('[64, 64, 1]')
  })

  it('names a wrong type', async () => {
    const message = await refusal({ [`${Q}.weight`]: zeros('F64', 64, 64) })
    expect(message).toContain(`"${Q}.weight" is F64, expected F32, F16 or BF16`)
  })

  it('names tensors that nothing accounts for', async () => {
    const message = await refusal({ [`${Q}.bias`]: zeros('F32', 64), x: zeros('F32', 1) })
    expect(message).toContain(`accounts for nowhere: "${Q}.bias", "x"`)
  })

  it('names what is wrong with a packing', async () => {
    expect(await refusal({ ...packed, [`${Q}.biases`]: null }, four)).toContain(
      `"${Q}.biases" is missing, expected with shape [64, 2]`,
    )
    expect(await refusal({ ...packed, [`${Q}.scales`]: null }, four)).toContain(
      '.scales" is missing',
    )
    expect(await refusal({ ...packed, [`${Q}.weight`]: zeros('U32', 64, 16) }, four)).toContain(
      `"${Q}.weight" has shape [64, 16], expected [64, 8]`,
    )
    expect(await refusal({ ...packed, [`${Q}.weight`]: zeros('F32', 64, 8) }, four)).toContain(
      `"${Q}.weight" is F32, expected U32 for 4 bits of 64 × 64`,
    )
    expect(await refusal({ ...packed, [`${Q}.scales`]: zeros('U32', 64, 2) }, four)).toContain(
      `"${Q}.scales" is U32`,
    )
    expect(await refusal(packed)).toContain('is packed, but config.json has no "quantization"')
    const wide = { quantization: { bits: 4, group_size: 128 } }
    expect(await refusal(packed, wide)).toContain('rows of 64, which groups of 128 do not divide')
  })

  it('ends early on a config that claims a billion layers', async () => {
    const message = await refusal({}, { num_hidden_layers: 1e9 })
    expect(message.match(/is missing/g)).toHaveLength(6)
  })
})

const FOLDERS: Record<string, [path: string, head: string, parameters: number | null]> = {
  llama: ['goldens/tiny/llama', 'model.embed_tokens', null],
  'llama-mha-untied': ['goldens/tiny/llama-mha-untied', 'lm_head', 184640],
  'llama3-rope': ['goldens/tiny/llama3-rope', 'lm_head', null],
  'llama-yarn': ['goldens/tiny/llama-yarn', 'lm_head', null],
  'llama-linear-rope': ['goldens/tiny/llama-linear-rope', 'lm_head', null],
  gptq: ['goldens/quantized/gptq', 'lm_head', null],
  'fp8-block': ['goldens/quantized/fp8-block', 'lm_head', null],
  mlx4: ['goldens/quantized/mlx4', 'lm_head', null],
  mlx8: ['goldens/quantized/mlx8', 'lm_head', null],
  'SmolLM2 4-bit': ['models/smollm2-135m-instruct-4bit', 'model.embed_tokens', 134515008],
}
describeShared('the reference checkpoints', (shared) => {
  for (const [name, [path, head, parameters]] of Object.entries(FOLDERS)) {
    it(`pass: ${name}`, async () => {
      const checked = await checkFolder(join(shared, path))
      expect(checked.head).toBe(head)
      if (parameters !== null) expect(checked.parameters).toBe(parameters)
    })
  }
})
