/** Writes tensors into a folder as one safetensors file, or as several with an index, as on the hub. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SafetensorsWriter, type TensorHead, tensorBytes } from './safetensors-writer.ts'
import { SHARD_INDEX } from './shard-index.ts'

/** A file never grows beyond this, unless one item does: as on the hub. */
const SHARD_BYTES = 5e9

/** @param read bytes of the source that these were made of */
export type WriteTensor = (name: string, bytes: Uint8Array, read: number) => Promise<void>

/** Tensors that are written side by side, into one file. */
export interface ShardItem {
  readonly heads: readonly TensorHead[]
  /** Of the source. */
  readonly bytes: number
  write(put: WriteTensor): Promise<void>
}

export interface ShardOptions {
  readonly folder: string
  readonly shardBytes?: number
  /** Hears of bytes of the source as they are done. */
  onBytes(bytes: number): void
}

/** @returns the bytes of all tensors. Throws what items throw, and what the disk says. */
export async function writeShards(
  items: readonly ShardItem[],
  options: ShardOptions,
): Promise<number> {
  const shards = shardsOf(items, options.shardBytes ?? SHARD_BYTES)
  const places: Record<string, string> = {}
  let total = 0
  for (const [index, shard] of shards.entries()) {
    const file = shards.length === 1 ? 'model.safetensors' : shardName(index + 1, shards.length)
    const heads = shard.flatMap((item) => item.heads)
    for (const head of heads) {
      places[head.name] = file
      total += tensorBytes(head)
    }
    const path = join(options.folder, file)
    const writer = await SafetensorsWriter.create(path, heads, { format: 'mlx' })
    try {
      for (const item of shard) {
        await item.write(async (name, bytes, read) => {
          await writer.write(name, bytes)
          options.onBytes(read)
        })
      }
      await writer.finish()
    } finally {
      await writer.close()
    }
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

function shardsOf(items: readonly ShardItem[], most: number): ShardItem[][] {
  const shards: ShardItem[][] = [[]]
  let bytes = 0
  for (const item of items) {
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
