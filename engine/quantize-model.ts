/**
 * Quantizes a model into a folder of its own: what `quantize` does on load, done once and kept. The folder appears under
 * its name when it is whole.
 */
import { copyFile, cp, readdir, writeFile } from 'node:fs/promises'
import { extname, join, resolve } from 'node:path'
import { Device, Pipelines } from '../kernels/index.ts'
import type { LoadOptions, Progress, QuantizeType } from './api.ts'
import { toEngineError } from './failures.ts'
import { findModel, type ModelFiles } from './model-files.ts'
import { newFolder } from './new-folder.ts'
import { checkStorable, readQuantize } from './weights/quantization.ts'
import { quantizedConfig, writeQuantized } from './weights/quantized-checkpoint.ts'

export type QuantizeProgress =
  | Extract<Progress, { phase: 'download' | 'adapter' }>
  /** Bytes of the source's weights. */
  | { phase: 'quantize'; done: number; total: number }

export interface QuantizeModelOptions extends Pick<LoadOptions, 'adapter' | 'modelsFolder'> {
  /** Default `int4`. */
  quantize?: QuantizeType
  /** Replace a model that is there. Default false. */
  force?: boolean
  /** Largest bytes of a weight file, where no single matrix is larger. Default 5 GB. */
  shardBytes?: number
  onProgress?: (progress: QuantizeProgress) => void
  signal?: AbortSignal
}

export interface QuantizedModel {
  /** Of the source. */
  id: string
  source: string
  /** The new folder. */
  folder: string
  /** For instance `affine-4bit/32`. */
  weights: string
  /** Of the weights, before and after. */
  sourceBytes: number
  bytes: number
}

/** Weights of any kind: the quantized ones take their place. And what a folder says of where it came from. */
const NOT_COPIED = new Set([
  ...['.safetensors', '.bin', '.pt', '.pth', '.ckpt', '.pkl', '.gguf', '.onnx', '.h5', '.msgpack'],
])
const WRITTEN_ANEW = new Set(['config.json', 'model.safetensors.index.json', 'illuminator.json'])

/** See conversions.ts. */
export async function quantizeModel(
  source: string,
  target: string,
  options: QuantizeModelOptions = {},
): Promise<QuantizedModel> {
  const { quantize = 'int4', signal } = options
  try {
    readQuantize(quantize)
    const { onProgress, ...rest } = options
    const files = await findModel(source, {
      ...rest,
      quantize,
      // A model that is found or fetched reports nothing else.
      ...(onProgress
        ? { onProgress: (step) => step.phase === 'download' && onProgress(step) }
        : {}),
    })
    const folder = resolve(target)
    const force = options.force ?? false
    return await newFolder(folder, { force, signal, source: files.folder }, async (partial) => ({
      ...(await fill(partial, files, quantize, options)),
      folder,
    }))
  } catch (error) {
    throw toEngineError(error)
  }
}

async function fill(
  partial: string,
  { id, folder, config: decoder, quantized, facts, reading }: ModelFiles,
  quantize: QuantizeType,
  { adapter, onProgress, signal, shardBytes }: QuantizeModelOptions,
): Promise<Omit<QuantizedModel, 'folder'>> {
  await copyRest(folder, partial)
  const device = await Device.open({
    ...(adapter ? { adapter } : {}),
    onProgress: (message) => onProgress?.({ phase: 'adapter', message, done: 0, total: 1 }),
  })
  try {
    return await reading(async (checkpoint, checked) => {
      checkStorable(folder, decoder, checked)
      const matrices = checked.formats.keys()
      const config = quantizedConfig(checkpoint.config, readQuantize(quantize), matrices, quantized)
      await writeFile(join(partial, 'config.json'), `${JSON.stringify(config, null, 2)}\n`)
      const total = checkpoint.bytes
      let done = 0
      const bytes = await writeQuantized(device, new Pipelines(device), checkpoint, quantized, {
        folder: partial,
        ...(shardBytes === undefined ? {} : { shardBytes }),
        onBytes(more) {
          signal?.throwIfAborted()
          done += more
          onProgress?.({ phase: 'quantize', done, total })
        },
      })
      return { id, source: folder, weights: facts.weights, sourceBytes: total, bytes }
    })
  } finally {
    device.close()
  }
}

/** Tokenizer, generation config, README: everything beside the weights. */
async function copyRest(from: string, to: string): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (entry.name === 'additional_chat_templates') {
      await cp(join(from, entry.name), join(to, entry.name), { recursive: true })
    }
    if (entry.isDirectory() || entry.name.startsWith('.')) continue
    if (NOT_COPIED.has(extname(entry.name).toLowerCase()) || WRITTEN_ANEW.has(entry.name)) continue
    await copyFile(join(from, entry.name), join(to, entry.name))
  }
}
