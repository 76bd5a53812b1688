/** For tests: a small llama as a GGUF, in any of the types. */
import type { FixtureGguf, FixtureGgufTensor } from '../weights/gguf-fixture.ts'

const TYPES = {
  F32: [0, 1, 4],
  F16: [1, 1, 2],
  Q4_0: [2, 32, 18],
  Q4_1: [3, 32, 20],
  Q8_0: [8, 32, 34],
} as const

/** Rows of repeatable bytes; scales are small normal F16 numbers. */
export function tensor(
  name: string,
  type: keyof typeof TYPES,
  columns: number,
  rows: number,
): FixtureGgufTensor {
  const [id, block, bytes] = TYPES[type]
  const data = Uint8Array.from(
    { length: (rows * columns * bytes) / block },
    (_, i) => (i * 37) % 256,
  )
  for (let b = 0; block > 1 && b < data.length; b += bytes)
    data.set([b % 200, 0x1c, b % 7, 0x98], b)
  if (type === 'F32')
    data.set(new Uint8Array(Float32Array.from({ length: rows * columns }, (_, i) => i / 64).buffer))
  if (type === 'F16') data.fill(0x3c)
  return { name, shape: rows === 1 ? [columns] : [columns, rows], type: id, data }
}

const tokens = ['<|end|>', 'a', 'b', 'ab', 'Ġ']
export const metadata = {
  'general.architecture': ['general.architecture', 8, 'llama'],
  blocks: ['llama.block_count', 4, 1],
  context: ['llama.context_length', 4, 128],
  hidden: ['llama.embedding_length', 4, 32],
  inner: ['llama.feed_forward_length', 4, 64],
  heads: ['llama.attention.head_count', 4, 4],
  kv: ['llama.attention.head_count_kv', 4, 2],
  eps: ['llama.attention.layer_norm_rms_epsilon', 6, 1e-5],
  theta: ['llama.rope.freq_base', 6, 10000],
  eos: ['tokenizer.ggml.eos_token_id', 4, 0],
  model: ['tokenizer.ggml.model', 8, 'gpt2'],
  pre: ['tokenizer.ggml.pre', 8, 'gpt-2'],
  tokens: ['tokenizer.ggml.tokens', 9, { of: 8, items: tokens }],
  types: ['tokenizer.ggml.token_type', 9, { of: 5, items: [3, 1, 1, 1, 1] }],
  merges: ['tokenizer.ggml.merges', 9, { of: 8, items: ['a b'] }],
} as const

export function llama(
  q: keyof typeof TYPES = 'Q4_1',
): FixtureGguf & { tensors: FixtureGgufTensor[] } {
  return {
    metadata: Object.values(metadata),
    tensors: [
      tensor('token_embd.weight', 'Q8_0', 32, 5),
      tensor('output_norm.weight', 'F32', 32, 1),
      tensor('blk.0.attn_norm.weight', 'F32', 32, 1),
      tensor('blk.0.ffn_norm.weight', 'F16', 32, 1),
      tensor('blk.0.attn_q.weight', q, 32, 32),
      tensor('blk.0.attn_k.weight', q, 32, 16),
      tensor('blk.0.attn_v.weight', 'Q4_0', 32, 16),
      tensor('blk.0.attn_output.weight', 'Q4_1', 32, 32),
      tensor('blk.0.ffn_gate.weight', 'Q4_1', 32, 64),
      tensor('blk.0.ffn_up.weight', 'Q4_1', 32, 64),
      tensor('blk.0.ffn_down.weight', 'Q4_1', 64, 32),
    ],
  }
}
