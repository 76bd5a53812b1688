/**
 * Tiny models against NumPy (`test/python/numpy_goldens.py` prints `test/goldens/numpy.json`), logits and every greedy token:
 * the two of the API's contract, with the parameter names that they were trained with, and Phi-3 with a part of each head
 * turned and longrope.
 */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { numbersOf } from '../test/goldens.ts'
import { Engine } from './engine.ts'
import {
  encodeSafetensors,
  type FixtureTensor,
  removeFolder,
  writeFolder,
} from './weights/fixture.ts'

interface Golden {
  config: Record<string, unknown>
  prompts: { ids: number[]; last_logits: number[]; greedy: number[] }[]
}
const goldens = JSON.parse(
  readFileSync(new URL('../test/goldens/numpy.json', import.meta.url), 'utf8'),
) as Golden[]

/** Numbers by the tensor's name, as in the script. */
function numbers(name: string, ...shape: number[]): FixtureTensor {
  const isNorm = name.includes('norm') && name.endsWith('weight')
  const values = Float32Array.from(
    numbersOf(name, shape),
    (value) => value * 0.4 + (isNorm ? 1 : 0),
  )
  return { dtype: 'F32', shape, data: new Uint8Array(values.buffer) }
}

type Shapes = Record<string, number[]>

/** Shapes of a model's tensors, and of each of its blocks' by what follows the block's path. */
const SHAPES: Record<string, (size: (key: string) => number) => { model: Shapes; block: Shapes }> =
  {
    illuminator(size) {
      const [width, inner] = [size('hidden_size'), size('intermediate_size')]
      const keys = size('num_key_value_heads') * size('head_dim')
      return {
        model: {
          'token_embedding.weight': [size('vocab_size'), width],
          'final_norm.weight': [width],
        },
        block: {
          'attention.w_q.weight': [width, width],
          'attention.w_k.weight': [keys, width],
          'attention.w_v.weight': [keys, width],
          'attention.w_o.weight': [width, width],
          'feed_forward.w1.weight': [inner, width],
          'feed_forward.w2.weight': [width, inner],
          'feed_forward.w3.weight': [inner, width],
          'norm1.weight': [width],
          'norm2.weight': [width],
        },
      }
    },
    'illuminator-practical'(size) {
      const [width, inner] = [size('hidden_size'), size('intermediate_size')]
      return {
        model: {
          'token_embedding.weight': [size('vocab_size'), width],
          'position_encoding.pe': [1, size('max_position_embeddings'), width],
          'layer_norm.weight': [width],
          'layer_norm.bias': [width],
        },
        block: {
          'attention.w_qkv.weight': [3 * width, width],
          'attention.w_qkv.bias': [3 * width],
          'attention.w_o.weight': [width, width],
          'attention.w_o.bias': [width],
          'feed_forward.linear1.weight': [inner, width],
          'feed_forward.linear1.bias': [inner],
          'feed_forward.linear2.weight': [width, inner],
          'feed_forward.linear2.bias': [width],
          'norm1.weight': [width],
          'norm1.bias': [width],
          'norm2.weight': [width],
          'norm2.bias': [width],
        },
      }
    },
    phi3(size) {
      const [width, inner] = [size('hidden_size'), size('intermediate_size')]
      const rows =
        (size('num_attention_heads') + 2 * size('num_key_value_heads')) * size('head_dim')
      return {
        model: {
          'model.embed_tokens.weight': [size('vocab_size'), width],
          'model.norm.weight': [width],
          'lm_head.weight': [size('vocab_size'), width],
        },
        block: {
          'self_attn.qkv_proj.weight': [rows, width],
          'self_attn.o_proj.weight': [width, size('num_attention_heads') * size('head_dim')],
          'mlp.gate_up_proj.weight': [2 * inner, width],
          'mlp.down_proj.weight': [width, inner],
          'input_layernorm.weight': [width],
          'post_attention_layernorm.weight': [width],
        },
      }
    },
  }

function tensorsOf({ config }: Golden): Record<string, FixtureTensor> {
  const { model, block } = (SHAPES[String(config.model_type)] as (typeof SHAPES)[string])((key) =>
    Number(config[key]),
  )
  const path = config.model_type === 'phi3' ? 'model.layers' : 'transformer_blocks'
  const shapes = { ...model }
  for (let layer = 0; layer < Number(config.num_hidden_layers); layer++) {
    for (const [name, shape] of Object.entries(block)) shapes[`${path}.${layer}.${name}`] = shape
  }
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, numbers(name, ...shape)]),
  )
}

describe.each(goldens.map((golden) => [String(golden.config.model_type), golden] as const))(
  '%s',
  (_, golden) => {
    let folder: string
    let engine: Engine
    beforeAll(async () => {
      folder = await writeFolder({
        'config.json': golden.config,
        'model.safetensors': encodeSafetensors(tensorsOf(golden)),
      })
      engine = await Engine.load(folder, { kv: 'f32' })
    })
    afterAll(async () => {
      await engine.close()
      await removeFolder(folder)
    })

    test.each(golden.prompts.map((prompt) => [prompt.ids.length, prompt] as const))(
      'prompt of %i',
      async (_length, prompt) => {
        const { last, greedy } = await engine.logits(prompt.ids, { greedy: prompt.greedy.length })
        for (const [id, want] of prompt.last_logits.entries()) {
          expect(Math.abs((last[id] ?? Number.NaN) - want), `logit of ${id}`).toBeLessThan(2e-3)
        }
        expect(greedy).toEqual(prompt.greedy)
      },
    )
  },
)
