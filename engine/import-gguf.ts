/** Makes a model folder of a GGUF file. The folder appears under its name when it is whole. */
import { copyFile, readdir } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { EngineError } from './errors.ts'
import { toEngineError } from './failures.ts'
import { type Converted, convertGguf } from './gguf/convert.ts'
import {
  defaultModelsFolder,
  folderOf,
  isPath,
  parseModelId,
  whyIncomplete,
  writeOrigin,
} from './hub/index.ts'
import { findModel } from './model-files.ts'
import { newFolder } from './new-folder.ts'

/** Bytes of the file's tensors. */
export interface ImportProgress {
  phase: 'import'
  done: number
  total: number
}

export interface ImportGgufOptions {
  /** An id (`owner/name`) under the models folder, or the path of a folder. Default: the file's name, as an id. */
  target?: string
  /** Default: as for loading. */
  modelsFolder?: string
  /** Folder with the tokenizer.json to take instead of the file's own tokenizer, and what lies beside it. */
  tokenizer?: string
  /** Replace a model that is there. Default false. */
  force?: boolean
  /** Largest bytes of a weight file, where no single matrix is larger. Default 5 GB. */
  shardBytes?: number
  onProgress?: (progress: ImportProgress) => void
  signal?: AbortSignal
}

export interface ImportedGguf {
  /** What loads it: its id in the models folder, else the folder's name. */
  id: string
  source: string
  folder: string
  /** As config.json names it, for instance `LlamaForCausalLM`. */
  architecture: string
  /** Of the layers, for instance `affine-4bit/32`. */
  weights: string
  /** Of the tensors, before and after. */
  sourceBytes: number
  bytes: number
  /** What is not as it was, or was guessed: a sentence each. */
  warnings: string[]
}

/** What a tokenizer consists of. */
const TOKENIZER_FILES = new Set([
  ...['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'],
  ...['chat_template.json', 'special_tokens_map.json', 'generation_config.json'],
])

/** See conversions.ts. */
export async function importGguf(
  path: string,
  options: ImportGgufOptions = {},
): Promise<ImportedGguf> {
  const { force = false, signal } = options
  try {
    const source = resolve(path)
    const { id, folder } = targetOf(source, options)
    return await newFolder(folder, { force, signal }, async (partial) => {
      const warnings: string[] = []
      const converted = await convertGguf(source, partial, {
        tokenizer: options.tokenizer === undefined,
        onWarning: (warning) => warnings.push(warning),
        onProgress: (done, total) => options.onProgress?.({ phase: 'import', done, total }),
        ...(signal ? { signal } : {}),
        ...(options.shardBytes === undefined ? {} : { shardBytes: options.shardBytes }),
      })
      if (options.tokenizer !== undefined) await copyTokenizer(options.tokenizer, partial)
      await writeOrigin(partial, {
        source: `GGUF ${source}`,
        id,
        revision: undefined,
        commit: null,
      })
      return { id, source, folder, ...(await facts(partial, converted)), warnings }
    })
  } catch (error) {
    throw toEngineError(error)
  }
}

function targetOf(
  source: string,
  { target, modelsFolder }: ImportGgufOptions,
): { id: string; folder: string } {
  if (target !== undefined && isPath(target)) {
    const folder = resolve(target)
    return { id: basename(folder), folder }
  }
  const model = parseModelId(target ?? nameOf(source))
  return { id: model.id, folder: folderOf(model, modelsFolder ?? defaultModelsFolder()) }
}

/** A file's name without ending and number of part, in characters that ids may have. */
const nameOf = (source: string): string =>
  basename(source)
    .replace(/\.gguf$/i, '')
    .replace(/-\d{5}-of-\d{5}$/, '')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[._-]+/, '')

async function copyTokenizer(from: string, to: string): Promise<void> {
  const names = await readdir(from).catch((error: NodeJS.ErrnoException) => {
    throw wrongTokenizer(`${from} cannot be read (${error.code}).`)
  })
  if (!names.includes('tokenizer.json')) {
    throw wrongTokenizer(`${from} has no tokenizer.json; give the folder of the original model.`)
  }
  for (const name of names) {
    if (TOKENIZER_FILES.has(name)) await copyFile(join(from, name), join(to, name))
  }
}

const wrongTokenizer = (message: string): EngineError =>
  new EngineError('bad_request', message, { param: 'tokenizer' })

/** As loading sees it: it must be whole. */
async function facts(
  folder: string,
  { sourceBytes, bytes }: Converted,
): Promise<Pick<ImportedGguf, 'architecture' | 'weights' | 'sourceBytes' | 'bytes'>> {
  const why = await whyIncomplete(folder)
  if (why !== null) throw new Error(`The import left ${folder} incomplete: ${why}`)
  const { architecture, weights } = (await findModel(folder, {})).facts
  return { architecture, weights, sourceBytes, bytes }
}
