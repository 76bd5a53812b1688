/**
 * `model.safetensors.index.json`: which shard holds which tensor. Read with suspicion: a shard is a `.safetensors`
 * file inside the folder, whatever the index says, and it must be there.
 */
import { stat } from 'node:fs/promises'
import { dirname, extname, join } from 'node:path'
import { EngineError } from '../errors.ts'
import { isJsonObject, readJsonObject, show } from './json.ts'

export const SHARD_INDEX = 'model.safetensors.index.json'

/** About 100 bytes a tensor: room for a million. */
const MAX_INDEX_BYTES = 100_000_000
/** Each is an open file; the largest models have under 200. */
const MAX_SHARDS = 900

/**
 * Reads an index and checks that every shard is there.
 *
 * @param path of the index; shards lie beside it
 * @returns names of tensors by shard, both as the index states them
 * @throws EngineError('model') naming the index and what is wrong with it
 */
export async function readShardIndex(path: string): Promise<ReadonlyMap<string, string[]>> {
  const broken = (reason: string) =>
    new EngineError('model', `${path}: ${reason}. Fetch the folder again.`)
  const { weight_map: map } = await readJsonObject(path, MAX_INDEX_BYTES)
  if (!isJsonObject(map)) {
    throw broken(`weight_map is ${show(map)}, expected an object from tensor to shard`)
  }
  const shards = new Map<string, string[]>()
  for (const [tensor, shard] of Object.entries(map)) {
    if (typeof shard !== 'string' || !isInside(shard)) {
      throw broken(
        `tensor ${show(tensor)} is put in ${show(shard)}, expected the name of a .safetensors file inside the folder`,
      )
    }
    const names = shards.get(shard)
    if (names) names.push(tensor)
    else shards.set(shard, [tensor])
  }
  if (shards.size === 0) throw broken('weight_map names no tensors')
  if (shards.size > MAX_SHARDS) throw broken(`${shards.size} shards, the most is ${MAX_SHARDS}`)
  for (const [shard, names] of shards) {
    const found = await stat(join(dirname(path), shard)).catch(() => null)
    if (!found?.isFile()) {
      throw broken(`shard ${show(shard)} is missing; it holds ${show(names[0])} and others`)
    }
  }
  return shards
}

/** A plain relative path to a safetensors file: no way up, no root, no drive, no odd separators. */
function isInside(shard: string): boolean {
  const parts = shard.split('/')
  const isPlain = parts.every((part) => part !== '' && part !== '.' && part !== '..')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a NUL in a path is just what is looked for
  return isPlain && !/[\\:\u0000]/.test(shard) && extname(shard) === '.safetensors'
}
