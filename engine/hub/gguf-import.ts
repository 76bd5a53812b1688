/**
 * Turns a llama GGUF into a safetensors model folder without loss: weights in the MLX affine form, config.json,
 * generation_config.json and the tokenizer. Streamed: host memory stays at a few megabytes plus the vocabulary.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EngineError } from '../errors.ts'
import { GgufFile } from '../weights/gguf.ts'
import { type TensorSource, tensorBytes, writeSafetensors } from '../weights/safetensors-writer.ts'
import { deriveConfig } from './gguf-config.ts'
import { deriveTokenizer } from './gguf-tokenizer.ts'
import { convertTensor } from './gguf-weights.ts'

const TOP_LEVEL: Readonly<Record<string, string>> = {
  'token_embd.weight': 'model.embed_tokens',
  'output_norm.weight': 'model.norm',
  'output.weight': 'lm_head',
}
const IN_LAYER: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
}

/** The Hugging Face name, without `.weight`, of a GGUF tensor; undefined for one that llama does not have. */
function tensorName(name: string): string | undefined {
  const [, layer, part] = /^blk\.(\d+)\.([a-z_]+)\.weight$/.exec(name) ?? []
  if (layer === undefined || part === undefined) return TOP_LEVEL[name]
  const inLayer = IN_LAYER[part]
  return inLayer === undefined ? undefined : `model.layers.${layer}.${inLayer}`
}

export interface ImportOptions {
  /** Bytes of weights written so far, and in all. */
  onProgress?: (done: number, total: number) => void
  signal?: AbortSignal
}

/**
 * Writes the model folder `folder` (made if need be) from a GGUF file.
 *
 * @throws EngineError('model') when the file is damaged, or holds what cannot be carried over without loss;
 *   EngineError('aborted')
 */
export async function importGguf(
  path: string,
  folder: string,
  options: ImportOptions = {},
): Promise<void> {
  const file = await GgufFile.open(path)
  try {
    const { config, generation, headDim } = deriveConfig(file, tensorName)
    const tokenizer = deriveTokenizer(file)
    await mkdir(folder, { recursive: true })
    const write = (name: string, content: unknown) =>
      writeFile(
        join(folder, name),
        typeof content === 'string' ? content : `${JSON.stringify(content, null, 2)}\n`,
      )
    await write('config.json', config)
    await write('generation_config.json', generation)
    for (const [name, content] of Object.entries(tokenizer)) {
      if (content !== undefined) await write(name, content)
    }
    const tensors = await convertAll(file, headDim)
    const total = tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), 0)
    let done = 0
    await writeSafetensors(
      join(folder, 'model.safetensors'),
      tensors,
      { format: 'mlx' },
      (count) => {
        if (options.signal?.aborted) throw new EngineError('aborted', 'The import was cancelled.')
        done += count
        options.onProgress?.(done, total)
      },
    )
  } finally {
    await file.close()
  }
}

async function convertAll(file: GgufFile, headDim: number): Promise<TensorSource[]> {
  const tensors: TensorSource[] = []
  for (const tensor of file.tensors.values()) {
    const name = tensorName(tensor.name)
    if (name === undefined) {
      throw new EngineError(
        'model',
        `${file.path} has the tensor ${JSON.stringify(tensor.name)}, which a llama model does not have. Use the safetensors form of the model.`,
      )
    }
    const isRotated = /\.attn_[qk]\.weight$/.test(tensor.name)
    tensors.push(...(await convertTensor(file, tensor, name, isRotated ? headDim : undefined)))
  }
  return tensors
}
