/**
 * Writes a checkpoint quantized: its matrices in the MLX affine form, as the GPU makes them on load too, everything else as
 * it is. Streamed: host memory does not grow with the model.
 */
import { BLOCK_ROWS, type Device, type Pipelines } from '../../kernels/index.ts'
import type { QuantizationConfig } from '../models/config.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { JsonObject, JsonValue } from './json.ts'
import { formatOfQuantized, Quantizer, readWords } from './quantizer.ts'
import type { TensorHead } from './safetensors-writer.ts'
import { type ShardItem, type ShardOptions, type WriteTensor, writeShards } from './shard-writer.ts'
import { unfitValue } from './unfit-values.ts'

const COPY_BYTES = 8 * 2 ** 20

type Modules = ReadonlyMap<string, QuantizationConfig>

/** `config.json` of the quantized model: the key is MLX's, and the second one transformers'. */
export function quantizedConfig(
  config: JsonObject,
  wanted: QuantizationConfig,
  matrices: Iterable<string>,
  modules: Modules,
): JsonObject {
  const quantization: Record<string, JsonValue> = {
    group_size: wanted.groupSize,
    bits: wanted.bits,
  }
  for (const module of matrices) {
    const own = modules.get(module)
    if (!own) quantization[module] = false
    else if (own.bits !== wanted.bits || own.groupSize !== wanted.groupSize) {
      quantization[module] = { group_size: own.groupSize, bits: own.bits }
    }
  }
  return { ...config, quantization, quantization_config: quantization }
}

/**
 * Writes the weights into `folder`, in shards where they are large. @returns the bytes of all tensors
 * @throws EngineError('model') for values that cannot be quantized; GpuError; what the disk says
 */
export async function writeQuantized(
  device: Device,
  pipelines: Pipelines,
  checkpoint: Checkpoint,
  modules: Modules,
  options: ShardOptions,
): Promise<number> {
  const quantizer = await Quantizer.open(device, pipelines, 1)
  try {
    const work = { device, checkpoint, quantizer }
    const items = checkpoint.names().map((name) => itemOf(work, name, modules))
    return await writeShards(items, options)
  } finally {
    quantizer.close()
  }
}

/** A tensor of the source, and what it becomes. */
function itemOf(work: Work, name: string, modules: Modules): ShardItem {
  const { dtype, shape, start, end } = work.checkpoint.info(name)
  const bytes = end - start
  const module = name.replace(/\.weight$/, '')
  const to = module === name ? undefined : modules.get(module)
  if (!to) {
    const heads = [{ name, dtype: dtype as TensorHead['dtype'], shape }]
    return { heads, bytes, write: (put) => copyTensor(work, name, put) }
  }
  const [rows = 0, columns = 0] = shape
  const groups = [rows, columns / to.groupSize]
  return {
    heads: [
      { name, dtype: 'U32', shape: [rows, (columns * to.bits) / 32] },
      { name: `${module}.scales`, dtype: 'F16', shape: groups },
      { name: `${module}.biases`, dtype: 'F16', shape: groups },
    ],
    bytes,
    write: (put) => quantizeMatrix(work, module, to, put),
  }
}

interface Work {
  readonly device: Device
  readonly checkpoint: Checkpoint
  readonly quantizer: Quantizer
}

async function copyTensor({ checkpoint }: Work, name: string, put: WriteTensor): Promise<void> {
  const { start, end } = checkpoint.info(name)
  for (let at = 0; at < end - start; at += COPY_BYTES) {
    const piece = new Uint8Array(Math.min(COPY_BYTES, end - start - at))
    await checkpoint.read(name, at, piece)
    await put(name, piece, piece.length)
  }
}

/** Rows through the GPU and back, a chunk at a time. */
async function quantizeMatrix(
  { device, checkpoint, quantizer }: Work,
  module: string,
  to: QuantizationConfig,
  write: WriteTensor,
): Promise<void> {
  const name = `${module}.weight`
  const { dtype, shape, start, end } = checkpoint.info(name)
  const [rows = 0, columns = 0] = shape
  const width = (end - start) / rows
  const format = formatOfQuantized(to)
  const per = format.wordsPerRowBlock(columns)
  const part = { columns, from: dtype.toLowerCase(), to, matrix: 0 }
  const blocks = Math.ceil(Math.min(rows, quantizer.mostRows(part)) / BLOCK_ROWS)
  const w = await device.memory.storage(`${module} words`, 'weights', per.words * 4 * blocks)
  const scales = await device.memory.storage(`${module} scales`, 'weights', per.scales * 4 * blocks)
  try {
    const { put } = await quantizer.into({ ...part, buffers: { w, w_scale: scales } })
    for (let first = 0; first < rows; first += blocks * BLOCK_ROWS) {
      const count = Math.min(blocks * BLOCK_ROWS, rows - first)
      const piece = new Uint8Array(count * width)
      await checkpoint.read(name, first * width, piece)
      put(piece, count, 0)
      const packed = {
        words: await readWords(device, w, per.words * blocks),
        scales: await readWords(device, scales, per.scales * blocks),
      }
      for (let row = 0; row < count; row += BLOCK_ROWS) {
        const some = Math.min(BLOCK_ROWS, count - row)
        const unpacked = format.unpack(packed, some, columns, row / BLOCK_ROWS)
        await write(name, unpacked.weight, some * width)
        await write(`${module}.scales`, unpacked.scales as Uint8Array, 0)
        await write(`${module}.biases`, unpacked.biases as Uint8Array, 0)
      }
    }
    if ((await quantizer.finish()) !== null) throw await unfitValue(checkpoint, [name])
  } finally {
    device.memory.free(w)
    device.memory.free(scales)
  }
}
