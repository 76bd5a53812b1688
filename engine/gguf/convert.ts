/**
 * Turns a GGUF into a safetensors model folder: weights in the MLX affine form or as plain numbers, config.json,
 * generation_config.json and the tokenizer. Streamed: host memory stays at a few megabytes plus the vocabulary.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { JsonObject, JsonValue } from '../weights/json.ts'
import { type ShardItem, writeShards } from '../weights/shard-writer.ts'
import { architectureOf } from './architectures.ts'
import { GROUP, roundedType } from './block-types.ts'
import { checkItems } from './check.ts'
import { deriveConfig } from './config.ts'
import {
  cancelled,
  type Form,
  formOf,
  type MatrixOutput,
  matrixItem,
  WideScales,
  widest,
} from './matrix-output.ts'
import { type GgufSource, Metadata } from './metadata.ts'
import { OutputPlan, type Outputs } from './outputs.ts'
import { openParts } from './parts.ts'
import { deriveGeneration } from './special-ids.ts'
import { deriveTokenizer, type TokenizerFiles } from './tokenizer.ts'

export interface ConvertOptions {
  /** Bytes of the GGUF's tensors that are done, and all of them. */
  onProgress?: (done: number, total: number) => void
  /** What the caller should know, a sentence each. */
  onWarning?: (warning: string) => void
  signal?: AbortSignal
  shardBytes?: number
  /** Leave the tokenizer out: another one will lie beside the weights. Default true. */
  tokenizer?: boolean
}

export interface Converted {
  readonly architecture: string
  /** Of the tensors, before and after. */
  readonly sourceBytes: number
  readonly bytes: number
}

/**
 * Writes the model folder `folder` (made if need be) from a GGUF file; a split one is named by any of its parts.
 *
 * @throws EngineError('model') when the file is damaged, or holds what cannot be carried over; EngineError('aborted')
 */
export async function convertGguf(
  path: string,
  folder: string,
  options: ConvertOptions = {},
): Promise<Converted> {
  const source = await openParts(path)
  try {
    const meta = new Metadata(source)
    const plan = new OutputPlan(meta, architectureOf(meta))
    const config = await deriveConfig(meta)
    const outputs = await plan.all()
    const generation = deriveGeneration(meta)
    const tokenizer = (options.tokenizer ?? true) ? deriveTokenizer(meta) : null
    for (const warning of [...(tokenizer?.warnings ?? []), ...roundingOf(outputs.matrices)]) {
      options.onWarning?.(warning)
    }
    await mkdir(folder, { recursive: true })
    await writeText(folder, { 'generation_config.json': generation, ...tokenizer?.files })
    const bytes = await writeWeights(source, outputs, { config, generation }, folder, options)
    return { architecture: meta.architecture, sourceBytes: totalOf(source), bytes }
  } finally {
    await source.close()
  }
}

const totalOf = (source: GgufSource): number =>
  [...source.tensors.values()].reduce((sum, { bytes }) => sum + bytes, 0)

async function writeText(
  folder: string,
  files: Readonly<Record<string, unknown>> | TokenizerFiles,
): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    if (content === undefined) continue
    const text = typeof content === 'string' ? content : `${JSON.stringify(content, null, 2)}\n`
    await writeFile(join(folder, name), text)
  }
}

/** Once more from the start where a matrix turns out to need F32 for its scales, which hardly any does. */
async function writeWeights(
  source: GgufSource,
  outputs: Outputs,
  configs: { config: JsonObject; generation: JsonObject },
  folder: string,
  options: ConvertOptions,
): Promise<number> {
  const wide = new Set<string>()
  const total = totalOf(source)
  for (;;) {
    const forms = formsOf(source, outputs.matrices, wide)
    const items: ShardItem[] = [
      ...outputs.plain,
      ...outputs.matrices.map((one) => matrixItem(source, one, forms.get(one.path) ?? null)),
    ]
    const config = { ...configs.config, ...quantization(outputs.matrices, forms) }
    checkItems(source.path, items, config, configs.generation)
    await writeText(folder, { 'config.json': config })
    let done = 0
    const onBytes = (count: number): void => {
      if (options.signal?.aborted) throw cancelled()
      done += count
      options.onProgress?.(Math.min(done, total), total)
    }
    const { shardBytes } = options
    try {
      return await writeShards(items, {
        ...{ folder, onBytes },
        ...(shardBytes === undefined ? {} : { shardBytes }),
      })
    } catch (error) {
      if (!(error instanceof WideScales) || wide.has(error.path)) throw error
      wide.add(error.path)
    }
  }
}

/** By module. Those that the engine reads as one matrix get one form, in which none of them loses anything. */
function formsOf(
  source: GgufSource,
  matrices: readonly MatrixOutput[],
  wide: ReadonlySet<string>,
): ReadonlyMap<string, Form> {
  const together = new Map<string, MatrixOutput[]>()
  for (const matrix of matrices) {
    const key = matrix.together ?? matrix.path
    const others = together.get(key)
    if (others) others.push(matrix)
    else together.set(key, [matrix])
  }
  const forms = new Map<string, Form>()
  for (const group of together.values()) {
    const own = group.map((matrix): Form => {
      const form = formOf(source, matrix)
      return form !== null && wide.has(matrix.path) ? { ...form, scale: 'F32' } : form
    })
    const form = widest(own)
    for (const [i, { path }] of group.entries()) forms.set(path, own[i] === null ? null : form)
  }
  return forms
}

/** The most frequent width for all, and an entry for each matrix of another. Empty for a file without any. */
function quantization(
  matrices: readonly MatrixOutput[],
  forms: ReadonlyMap<string, Form>,
): JsonObject {
  const packed = matrices.flatMap(({ path }) => {
    const form = forms.get(path)
    return form ? [{ path, bits: form.bits }] : []
  })
  if (packed.length === 0) return {}
  const fours = packed.filter((each) => each.bits === 4).length
  const bits = 2 * fours >= packed.length ? 4 : 8
  const settings: Record<string, JsonValue> = { group_size: GROUP, bits }
  for (const each of packed) {
    if (each.bits !== bits) settings[each.path] = { group_size: GROUP, bits: each.bits }
  }
  return { quantization: settings, quantization_config: settings }
}

/** A sentence about the matrices that lose something. */
function roundingOf(matrices: readonly MatrixOutput[]): string[] {
  const counts = new Map<string, Set<string>>()
  for (const { tensor } of matrices) {
    const { name } = tensor.type
    if (roundedType(name) === null) continue
    const names = counts.get(name) ?? new Set()
    counts.set(name, names.add(tensor.name))
  }
  if (counts.size === 0) return []
  const list = [...counts].map(([type, names]) => `${names.size} of ${type}`).join(', ')
  return [
    `Tensors whose scales hold for 16 numbers were quantized anew, to 8 bits in groups of 32, which rounds a little: ${list}. All others are exact.`,
  ]
}
