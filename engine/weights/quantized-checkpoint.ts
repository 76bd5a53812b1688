/**
 * Writes a checkpoint quantized: its matrices in the MLX affine form, as the GPU makes them on load too, everything else as
 * it is. Streamed: host memory does not grow with the model.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BLOCK_ROWS, type Device, type Pipelines } from '../../kernels/index.ts'
import type { QuantizationConfig } from '../models/config.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { JsonObject, JsonValue } from './json.ts'
import { formatOfQuantized, Quantizer, readWords } from './quantizer.ts'
import { SafetensorsWriter, type TensorHead, tensorBytes } from './safetensors-writer.ts'
import { SHARD_INDEX } from './shard-index.ts'
import { unfitValue } from './unfit-values.ts'

/** A file never grows beyond this, unless one matrix does: as on the hub. */
const SHARD_BYTES = 5e9
const COPY_BYTES = 8 * 2 ** 20

type Modules = ReadonlyMap<string, QuantizationConfig>

/** A tensor of the source, and what it becomes. */
interface Item {
  readonly name: string
  /** Module path, where it is quantized. */
  readonly module: string | null
  readonly heads: readonly TensorHead[]
}

export interface QuantizedCheckpointOptions {
  readonly folder: string
  readonly shardBytes?: number
  /** Hears of bytes of the source as they are done. */
  onBytes(bytes: number): void
}

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
  options: QuantizedCheckpointOptions,
): Promise<number> {
  const shards = shardsOf(checkpoint, modules, options.shardBytes ?? SHARD_BYTES)
  const quantizer = await Quantizer.open(device, pipelines, 1)
  const places: Record<string, string> = {}
  let total = 0
  try {
    for (const [index, items] of shards.entries()) {
      const file = shards.length === 1 ? 'model.safetensors' : shardName(index + 1, shards.length)
      const heads = items.flatMap((item) => item.heads)
      for (const head of heads) {
        places[head.name] = file
        total += tensorBytes(head)
      }
      const path = join(options.folder, file)
      const writer = await SafetensorsWriter.create(path, heads, { format: 'mlx' })
      try {
        for (const item of items) {
          const to = item.module === null ? undefined : modules.get(item.module)
          const work = { device, checkpoint, writer, options }
          if (to && item.module !== null) await quantizeMatrix(work, quantizer, item.module, to)
          else await copyTensor(work, item.name)
        }
        await writer.finish()
      } finally {
        await writer.close()
      }
    }
  } finally {
    quantizer.close()
  }
  if (shards.length > 1) {
    const index = { metadata: { total_size: total }, weight_map: places }
    await writeFile(join(options.folder, SHARD_INDEX), `${JSON.stringify(index, null, 2)}\n`)
  }
  return total
}

const shardName = (number: number, of: number): string => {
  const five = (n: number): string => String(n).padStart(5, '0')
  return `model-${five(number)}-of-${five(of)}.safetensors`
}

function shardsOf(checkpoint: Checkpoint, modules: Modules, most: number): Item[][] {
  const shards: Item[][] = [[]]
  let bytes = 0
  for (const name of checkpoint.names()) {
    const item = itemOf(checkpoint, name, modules)
    const more = item.heads.reduce((sum, head) => sum + tensorBytes(head), 0)
    if (bytes > 0 && bytes + more > most) {
      shards.push([])
      bytes = 0
    }
    bytes += more
    shards.at(-1)?.push(item)
  }
  return shards
}

function itemOf(checkpoint: Checkpoint, name: string, modules: Modules): Item {
  const { dtype, shape } = checkpoint.info(name)
  const module = name.replace(/\.weight$/, '')
  const to = module === name ? undefined : modules.get(module)
  if (!to) {
    return { name, module: null, heads: [{ name, dtype: dtype as TensorHead['dtype'], shape }] }
  }
  const [rows = 0, columns = 0] = shape
  const groups = [rows, columns / to.groupSize]
  return {
    name,
    module,
    heads: [
      { name, dtype: 'U32', shape: [rows, (columns * to.bits) / 32] },
      { name: `${module}.scales`, dtype: 'F16', shape: groups },
      { name: `${module}.biases`, dtype: 'F16', shape: groups },
    ],
  }
}

interface Work {
  readonly device: Device
  readonly checkpoint: Checkpoint
  readonly writer: SafetensorsWriter
  readonly options: QuantizedCheckpointOptions
}

async function copyTensor({ checkpoint, writer, options }: Work, name: string): Promise<void> {
  const { start, end } = checkpoint.info(name)
  for (let at = 0; at < end - start; at += COPY_BYTES) {
    const piece = new Uint8Array(Math.min(COPY_BYTES, end - start - at))
    await checkpoint.read(name, at, piece)
    await writer.write(name, piece)
    options.onBytes(piece.length)
  }
}

/** Rows through the GPU and back, a chunk at a time. */
async function quantizeMatrix(
  { device, checkpoint, writer, options }: Work,
  quantizer: Quantizer,
  module: string,
  to: QuantizationConfig,
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
        await writer.write(name, unpacked.weight)
        await writer.write(`${module}.scales`, unpacked.scales as Uint8Array)
        await writer.write(`${module}.biases`, unpacked.biases as Uint8Array)
      }
      options.onBytes(piece.length)
    }
    if ((await quantizer.finish()) !== null) throw await unfitValue(checkpoint, [name])
  } finally {
    device.memory.free(w)
    device.memory.free(scales)
  }
}
