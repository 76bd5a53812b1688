/** Checks what will be written as the engine will when it loads it, before anything is. */
import { familyOf } from '../models/index.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import { checkTensors } from '../weights/expected.ts'
import type { JsonObject } from '../weights/json.ts'
import type { TensorInfo } from '../weights/safetensors.ts'
import { tensorBytes } from '../weights/safetensors-writer.ts'
import type { ShardItem } from '../weights/shard-writer.ts'

/** @throws EngineError('model') as loading would, with the GGUF's path */
export function checkItems(
  path: string,
  items: readonly ShardItem[],
  config: JsonObject,
  generationConfig: JsonObject,
): void {
  const heads = new Map<string, TensorInfo>()
  let bytes = 0
  for (const head of items.flatMap((item) => item.heads)) {
    const end = bytes + tensorBytes(head)
    heads.set(head.name, { ...head, start: bytes, end })
    bytes = end
  }
  const unread = (): never => {
    throw new Error('Tensors are only compared with the config.')
  }
  const checkpoint: Checkpoint = {
    ...{ folder: path, config, generationConfig, bytes },
    has: (name) => heads.has(name),
    info: (name) => heads.get(name) ?? unread(),
    names: () => [...heads.keys()],
    read: unread,
    readAll: unread,
    close: unread,
  }
  const family = familyOf(config)
  checkTensors(checkpoint, family.config(config, generationConfig), family.tensors)
}
