/** The conversion of a GGUF on small files made here: numbers, the order of rows, config, tokenizer, refusals. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { f16ToF32 as f16 } from '../../kernels/index.ts'
import { Tokenizer } from '../../tokenizer/index.ts'
import { encodeGguf, type FixtureGguf, type FixtureGgufTensor } from '../weights/gguf-fixture.ts'
import { SafetensorsFile } from '../weights/safetensors.ts'
import { convertGguf } from './convert.ts'
import { llama, metadata, tensor } from './small-llama-fixture.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'illuminator-import-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function convert(file: FixtureGguf): Promise<string> {
  const out = await mkdtemp(join(folder, 'model-'))
  await writeFile(join(out, 'in.gguf'), encodeGguf(file))
  await convertGguf(join(out, 'in.gguf'), out)
  return out
}

/** The numbers of a GGUF tensor, by ggml's own definitions. */
function numbers({ type, data }: FixtureGgufTensor): number[] {
  const view = new DataView(data.buffer)
  const half = (at: number) => f16(view.getUint16(at, true))
  if (type === 0)
    return Array.from({ length: data.length / 4 }, (_, i) => view.getFloat32(4 * i, true))
  if (type === 1) return Array.from({ length: data.length / 2 }, (_, i) => half(2 * i))
  const bytes = { 2: 18, 3: 20, 8: 34 }[type] ?? 1
  return Array.from({ length: (data.length / bytes) * 32 }, (_, i) => {
    const at = Math.floor(i / 32) * bytes
    const j = i % 32
    if (type === 8) return half(at) * view.getInt8(at + 2 + j)
    const byte = view.getUint8(at + (type === 3 ? 4 : 2) + (j % 16))
    const code = j < 16 ? byte & 15 : byte >> 4
    return type === 3 ? half(at) * code + half(at + 2) : half(at) * (code - 8)
  })
}

/** The numbers of a converted tensor, by MLX's definition. */
async function converted(out: string, name: string): Promise<number[]> {
  const file = await SafetensorsFile.open(join(out, 'model.safetensors'))
  const read = async (part: string) => {
    const info = file.tensors.get(`${name}.${part}`)
    if (info === undefined) return undefined
    const bytes = new Uint8Array(info.end - info.start)
    await file.read(info, 0, bytes)
    return { info, view: new DataView(bytes.buffer), length: bytes.length }
  }
  const [weight, scales, biases] = await Promise.all([
    read('weight'),
    read('scales'),
    read('biases'),
  ])
  await file.close()
  if (weight === undefined) throw new Error(name)
  if (scales === undefined || biases === undefined) {
    const isF32 = weight.info.dtype === 'F32'
    return Array.from({ length: weight.length / (isF32 ? 4 : 2) }, (_, i) =>
      isF32 ? weight.view.getFloat32(4 * i, true) : f16(weight.view.getUint16(2 * i, true)),
    )
  }
  const isWide = scales.info.dtype === 'F32'
  const count = (scales.length / (isWide ? 4 : 2)) * 32
  const bits = (weight.length * 8) / count
  const float = (view: DataView, at: number) =>
    isWide ? view.getFloat32(at * 4, true) : f16(view.getUint16(at * 2, true))
  return Array.from({ length: count }, (_, i) => {
    const bit = i * bits
    const code = (weight.view.getUint32((bit >> 5) * 4, true) >>> (bit % 32)) & (2 ** bits - 1)
    const group = Math.floor(i / 32)
    return float(scales.view, group) * code + float(biases.view, group)
  })
}

describe('a small llama', () => {
  it.each(['Q4_1', 'Q4_0', 'Q8_0', 'F32', 'F16'] as const)(
    'has the same numbers (Q, K: %s)',
    async (q) => {
      const file = llama(q)
      const out = await convert(file)
      const find = (name: string) =>
        numbers(file.tensors.find((each) => each.name === name) ?? tensor('', 'F32', 1, 1))
      const near = (found: number[], expected: number[]) => {
        expect(found.length).toBe(expected.length)
        for (const [i, value] of found.entries()) {
          expect(value).toBeCloseTo(expected[i] ?? Number.NaN, 12)
        }
      }
      near(await converted(out, 'model.embed_tokens'), find('token_embd.weight'))
      near(await converted(out, 'model.norm'), find('output_norm.weight'))
      near(
        await converted(out, 'model.layers.0.post_attention_layernorm'),
        find('blk.0.ffn_norm.weight'),
      )
      near(await converted(out, 'model.layers.0.self_attn.v_proj'), find('blk.0.attn_v.weight'))
      near(await converted(out, 'model.layers.0.mlp.down_proj'), find('blk.0.ffn_down.weight'))
      for (const [part, rows] of [
        ['q', 32],
        ['k', 16],
      ] as const) {
        const stored = find(`blk.0.attn_${part}.weight`)
        // llama.cpp's permutation, forwards: head of 8 as [2, 4], swapped to [4, 2].
        const order = Array.from({ length: rows }, (_, row) => {
          const within = row % 8
          return row - within + (within % 2) * 4 + (within >> 1)
        })
        const expected: number[] = []
        order.forEach((to, from) => {
          for (let c = 0; c < 32; c++) expected[to * 32 + c] = stored[from * 32 + c] ?? Number.NaN
        })
        near(await converted(out, `model.layers.0.self_attn.${part}_proj`), expected)
      }
    },
  )

  it('has the same numbers where F16 does not hold a bias', async () => {
    const file = llama()
    // 65504, of which -128 times is beyond F16.
    file.tensors[0]?.data.set([0xff, 0x7b])
    const out = await convert(file)
    const found = await converted(out, 'model.embed_tokens')
    expect(found).toEqual(file.tensors[0] && numbers(file.tensors[0]))
  })

  it('is the same with q, k and v in one tensor', async () => {
    const file = llama('Q8_0')
    const fused = (each: FixtureGgufTensor) => /attn_[qkv]\./.test(each.name)
    const v = tensor('blk.0.attn_v.weight', 'Q8_0', 32, 16)
    const apart = file.tensors.map((each) => (each.name === v.name ? v : each))
    const data = Buffer.concat(apart.filter(fused).map((each) => each.data))
    const qkv = { name: 'blk.0.attn_qkv.weight', shape: [32, 64], type: 8, data }
    const others = apart.filter((each) => !fused(each))
    const [one, other] = await Promise.all([
      convert({ ...file, tensors: apart }),
      convert({ ...file, tensors: [...others, qkv] }),
    ])
    const weights = (out: string) => readFile(join(out, 'model.safetensors'))
    expect(await weights(other)).toEqual(await weights(one))
  })

  it('has its config and tokenizer', async () => {
    const out = await convert(llama())
    const config = JSON.parse(await readFile(join(out, 'config.json'), 'utf8'))
    expect(config).toMatchObject({
      head_dim: 8,
      rms_norm_eps: 1e-5,
      rope_theta: 10000,
      tie_word_embeddings: true,
      eos_token_id: 0,
      vocab_size: 5,
      quantization: { bits: 4, group_size: 32, 'model.embed_tokens': { bits: 8, group_size: 32 } },
    })
    const tokenizer = await Tokenizer.load(out)
    expect(tokenizer.encode('ab<|end|>', { parseSpecial: true })).toEqual([3, 0])
    expect(tokenizer.eosId).toBe(0)
  })
})

describe('what cannot be carried over', () => {
  const without = (
    key: keyof typeof metadata,
    ...more: readonly (readonly [string, number, unknown])[]
  ) => ({
    ...llama(),
    metadata: [
      ...Object.entries(metadata).flatMap(([name, value]) => (name === key ? [] : [value])),
      ...more,
    ],
  })
  const withTensor = (...more: FixtureGgufTensor[]) => ({
    ...llama(),
    tensors: [...llama().tensors, ...more],
  })
  it.each([
    [
      'another architecture',
      without('general.architecture', ['general.architecture', 8, 'falcon']),
      /is a "falcon" model, which is not read; read are llama, granite/,
    ],
    ['a missing key', without('inner'), /no number under llama.feed_forward_length/],
    [
      'another tokenizer',
      without('model', ['tokenizer.ggml.model', 8, 'bert']),
      /tokenizer is "bert", .*--tokenizer/,
    ],
    ['no tokens', without('tokens'), /tokenizer.ggml.tokens is missing/],
    [
      'an unknown pre-tokenizer',
      without('pre', ['tokenizer.ggml.pre', 8, 'klingon']),
      /pre-tokenizer is "klingon", which is not known \(known: gpt-2,.*--tokenizer/,
    ],
    [
      'an unknown tensor',
      withTensor(tensor('blk.0.attn_sub_norm.weight', 'F32', 32, 1)),
      /"blk.0.attn_sub_norm.weight" of shape \[32\], which a llama/,
    ],
    [
      'biases of some projections only',
      withTensor(tensor('blk.0.attn_q.bias', 'F32', 32, 1)),
      /k_proj.bias" is missing/,
    ],
    [
      'a kind of scaled rotations',
      without('theta', ['llama.rope.scaling.type', 8, 'spiral']),
      /llama.rope.scaling.type is "spiral"/,
    ],
    [
      'a type that is not read',
      withTensor({ name: 'output.weight', shape: [256, 1], type: 16, data: new Uint8Array(66) }),
      /output.weight is IQ2_XXS, which is not read; read are F32, .*Q4_K/,
    ],
  ])('%s', async (_, file, message) => {
    await expect(convert(file)).rejects.toThrow(message)
  })

  it('a scale that is no number', async () => {
    const file = llama()
    file.tensors[0]?.data.set([0xff, 0x7f])
    await expect(convert(file)).rejects.toThrow(
      /token_embd.weight \(Q8_0\) has a block whose scale/,
    )
  })
})
