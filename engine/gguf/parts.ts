/** A GGUF in one file, or split into several (`name-00001-of-00003.gguf`), as one source of tensors. */
import { basename, dirname, join } from 'node:path'
import { GgufFile, type GgufTensor } from '../weights/gguf.ts'
import { show } from '../weights/json.ts'
import { type GgufSource, refuse } from './metadata.ts'

const PART = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/
/** Each is an open file. */
const MOST_PARTS = 900

export interface OpenGguf extends GgufSource {
  close(): Promise<void>
}

/**
 * Opens a file and, where it is one of several, the others beside it.
 *
 * @throws EngineError('model') naming a file that is missing or wrong
 */
export async function openParts(path: string): Promise<OpenGguf> {
  const paths = partsOf(path)
  const files: GgufFile[] = []
  const close = async (): Promise<void> => {
    await Promise.all(files.map((file) => file.close()))
  }
  try {
    for (const each of paths) files.push(await GgufFile.open(each))
    return { ...joined(path, files), close }
  } catch (error) {
    await close()
    throw error
  }
}

function partsOf(path: string): string[] {
  const [, name, , count] = PART.exec(basename(path)) ?? []
  const parts = Number(count ?? 1)
  if (name === undefined) return [path]
  if (parts < 1 || parts > MOST_PARTS) {
    throw refuse({ path }, `is one of ${parts} parts, expected 1 to ${MOST_PARTS}.`)
  }
  return Array.from({ length: parts }, (_, i) =>
    join(dirname(path), `${name}-${String(i + 1).padStart(5, '0')}-of-${count}.gguf`),
  )
}

function joined(path: string, files: readonly GgufFile[]): GgufSource {
  const [first] = files
  const stated = first?.metadata.get('split.count')
  if (typeof stated === 'number' && stated > 0 && stated !== files.length) {
    throw refuse(
      { path },
      `is one of ${stated} parts (split.count), but its name is not: keep the names that the parts had, such as model-00001-of-${String(stated).padStart(5, '0')}.gguf.`,
    )
  }
  const tensors = new Map<string, GgufTensor>()
  const owners = new Map<GgufTensor, GgufFile>()
  for (const file of files) {
    for (const tensor of file.tensors.values()) {
      if (tensors.has(tensor.name)) {
        throw refuse(file, `has the tensor ${show(tensor.name)}, which another part has, too.`)
      }
      tensors.set(tensor.name, tensor)
      owners.set(tensor, file)
    }
  }
  const total = first?.metadata.get('split.tensors.count')
  if (typeof total === 'number' && total !== tensors.size) {
    throw refuse({ path }, `states ${total} tensors in all parts, but they have ${tensors.size}.`)
  }
  return {
    path,
    metadata: first?.metadata ?? new Map(),
    tensors,
    async read(tensor, offset, into) {
      const owner = owners.get(tensor)
      if (!owner) throw new RangeError(`${tensor.name} is in none of the parts`)
      await owner.read(tensor, offset, into)
    },
  }
}
