/** A small Mistral of seeded random numbers, for what no downloaded model is needed for: half of a token is attention. */
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeSafetensors } from '../../engine/weights/safetensors-writer.ts'
import { Random } from '../../kernels/kernel.ts'

const SIZES = { hidden: 128, inner: 256, layers: 4, heads: 8, kvHeads: 4, headDim: 64, ids: 512 }

/** Writes its folder, for the caller to remove. @param window tokens that its layers see; null: all */
export async function writeRandomMistral(window: number | null, context: number): Promise<string> {
  const { hidden, inner, layers, heads, kvHeads, headDim, ids } = SIZES
  const folder = await mkdtemp(join(tmpdir(), 'illuminator-window-'))
  const config = {
    architectures: ['MistralForCausalLM'],
    model_type: 'mistral',
    hidden_size: hidden,
    intermediate_size: inner,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    head_dim: headDim,
    vocab_size: ids,
    max_position_embeddings: context,
    sliding_window: window,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    hidden_act: 'silu',
    tie_word_embeddings: true,
  }
  await writeFile(join(folder, 'config.json'), JSON.stringify(config))
  const random = new Random(7)
  const tensor = (name: string, ...shape: [number, number?]) => {
    const [rows, columns] = shape
    // Uniform, so that rows keep the size of what they multiply; norms are ones.
    const values = columns
      ? random.floats(rows * columns, Math.sqrt(3 / columns))
      : new Float32Array(rows).fill(1)
    const whole = columns ? [rows, columns] : [rows]
    return { name, dtype: 'F32', shape: whole, chunks: () => [bytesOf(values)] } as const
  }
  const layer = (i: number) => {
    const at = `model.layers.${i}`
    return [
      tensor(`${at}.input_layernorm.weight`, hidden),
      tensor(`${at}.post_attention_layernorm.weight`, hidden),
      tensor(`${at}.self_attn.q_proj.weight`, heads * headDim, hidden),
      tensor(`${at}.self_attn.k_proj.weight`, kvHeads * headDim, hidden),
      tensor(`${at}.self_attn.v_proj.weight`, kvHeads * headDim, hidden),
      tensor(`${at}.self_attn.o_proj.weight`, hidden, heads * headDim),
      tensor(`${at}.mlp.gate_proj.weight`, inner, hidden),
      tensor(`${at}.mlp.up_proj.weight`, inner, hidden),
      tensor(`${at}.mlp.down_proj.weight`, hidden, inner),
    ]
  }
  await writeSafetensors(join(folder, 'model.safetensors'), [
    tensor('model.embed_tokens.weight', ids, hidden),
    tensor('model.norm.weight', hidden),
    ...Array.from({ length: layers }, (_, i) => layer(i)).flat(),
  ])
  return folder
}

const bytesOf = (values: Float32Array): Uint8Array => new Uint8Array(values.buffer)
