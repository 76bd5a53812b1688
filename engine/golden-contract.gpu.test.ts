/**
 * The two models of the API's contract, tiny and with the parameter names that they were trained with, against NumPy
 * (`test/python/contract_goldens.py` prints `test/goldens/contract-models.json`): logits, and every greedy token.
 */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Engine } from './engine.ts'
import {
  encodeSafetensors,
  type FixtureTensor,
  removeFolder,
  writeFolder,
} from './weights/fixture.ts'

interface Golden {
  config: Record<string, number | boolean | string | string[]>
  prompts: { ids: number[]; last_logits: number[]; greedy: number[] }[]
}
const goldens = JSON.parse(
  readFileSync(new URL('../test/goldens/contract-models.json', import.meta.url), 'utf8'),
) as Golden[]

/** Numbers by the tensor's name: the same function as in the script. */
function numbers(name: string, ...shape: number[]): FixtureTensor {
  let seed = 0x811c9dc5
  for (const byte of Buffer.from(name)) seed = Math.imul(seed ^ byte, 0x01000193)
  const isNorm = name.includes('norm') && name.endsWith('weight')
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1)).map((_, i) => {
    let x = Math.imul(i, 0x9e3779b9) ^ seed
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
    x = (x ^ (x >>> 16)) >>> 0
    return (x / 2 ** 31 - 1) * 0.4 + (isNorm ? 1 : 0)
  })
  return { dtype: 'F32', shape, data: new Uint8Array(values.buffer) }
}

/** Shapes of a block's tensors. */
function blockShapes({ config }: Golden): Record<string, number[]> {
  const [width, inner, kv, size] = [
    'hidden_size',
    'intermediate_size',
    'num_key_value_heads',
    'head_dim',
  ].map((key) => Number(config[key])) as [number, number, number, number]
  if (config.model_type === 'illuminator') {
    return {
      'attention.w_q.weight': [width, width],
      'attention.w_k.weight': [kv * size, width],
      'attention.w_v.weight': [kv * size, width],
      'attention.w_o.weight': [width, width],
      'feed_forward.w1.weight': [inner, width],
      'feed_forward.w2.weight': [width, inner],
      'feed_forward.w3.weight': [inner, width],
      'norm1.weight': [width],
      'norm2.weight': [width],
    }
  }
  return {
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
  }
}

function tensorsOf(golden: Golden): Record<string, FixtureTensor> {
  const { config } = golden
  const width = Number(config.hidden_size)
  const shapes: Record<string, number[]> = {
    'token_embedding.weight': [Number(config.vocab_size), width],
    ...(config.model_type === 'illuminator'
      ? { 'final_norm.weight': [width] }
      : {
          'position_encoding.pe': [1, Number(config.max_position_embeddings), width],
          'layer_norm.weight': [width],
          'layer_norm.bias': [width],
        }),
  }
  for (let layer = 0; layer < Number(config.num_hidden_layers); layer++) {
    for (const [name, shape] of Object.entries(blockShapes(golden))) {
      shapes[`transformer_blocks.${layer}.${name}`] = shape
    }
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
