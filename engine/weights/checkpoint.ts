/**
 * A model folder as Hugging Face lays it out: `config.json`, perhaps `generation_config.json`, and the weights in
 * `model.safetensors` or in the shards that `model.safetensors.index.json` names. One object gives every tensor by
 * name, whichever file it lies in. Pickles are never opened.
 */
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { EngineError } from '../errors.ts'
import { type JsonObject, readJsonObject, reasonOf } from './json.ts'
import { nearNames } from './near-names.ts'
import { SafetensorsFile, type TensorInfo } from './safetensors.ts'
import { readShardIndex, SHARD_INDEX } from './shard-index.ts'

export interface Checkpoint {
  readonly folder: string
  /** `config.json`, parsed, not yet believed. */
  readonly config: JsonObject
  /** `generation_config.json`, or an empty object where there is none. */
  readonly generationConfig: JsonObject
  /** Bytes of all tensors together. */
  readonly bytes: number
  has(name: string): boolean
  /** @throws EngineError('model') naming the tensor, the folder and the nearest names there are */
  info(name: string): TensorInfo
  names(): readonly string[]
  /** Reads bytes [offset, offset + into.length) of a tensor. */
  read(name: string, offset: number, into: Uint8Array): Promise<void>
  /** Reads a whole tensor into host memory: for small ones. */
  readAll(name: string): Promise<Uint8Array>
  close(): Promise<void>
}

const SINGLE = 'model.safetensors'
const MAX_CONFIG_BYTES = 16_000_000
const PICKLES = new Set(['.bin', '.pt', '.pth', '.ckpt', '.pkl'])

/**
 * Opens a model folder: reads its configs and the headers of its weight files, no weights yet.
 *
 * @throws EngineError('model_not_found') when there is no such folder
 * @throws EngineError('model') when anything in it is missing, broken or of a kind that is not read; says what to do
 */
export async function openCheckpoint(folder: string): Promise<Checkpoint> {
  const entries = await listFolder(folder)
  const configPath = join(folder, 'config.json')
  if (!entries.includes(SINGLE) && !entries.includes(SHARD_INDEX)) throw noWeights(folder, entries)
  if (!entries.includes('config.json')) {
    throw new EngineError(
      'model',
      `${folder}: config.json is missing. Copy it from where the weights came from.`,
    )
  }
  const config = await readJsonObject(configPath, MAX_CONFIG_BYTES)
  const generationConfig = entries.includes('generation_config.json')
    ? await readJsonObject(join(folder, 'generation_config.json'), MAX_CONFIG_BYTES)
    : {}
  const files = entries.includes(SINGLE)
    ? [await SafetensorsFile.open(join(folder, SINGLE))]
    : await openShards(folder)
  try {
    return new FolderCheckpoint(folder, config, generationConfig, files)
  } catch (error) {
    await closeAll(files)
    throw error
  }
}

class FolderCheckpoint implements Checkpoint {
  readonly folder: string
  readonly config: JsonObject
  readonly generationConfig: JsonObject
  readonly bytes: number
  readonly #files: readonly SafetensorsFile[]
  readonly #places = new Map<string, { file: SafetensorsFile; info: TensorInfo }>()

  constructor(
    folder: string,
    config: JsonObject,
    generationConfig: JsonObject,
    files: readonly SafetensorsFile[],
  ) {
    this.folder = folder
    this.config = config
    this.generationConfig = generationConfig
    this.#files = files
    let bytes = 0
    for (const file of files) {
      for (const [name, info] of file.tensors) {
        const other = this.#places.get(name)
        if (other) {
          const both = `${basename(other.file.path)} and ${basename(file.path)}`
          throw new EngineError(
            'model',
            `${folder}: tensor "${name}" is in two files, ${both}; expected once. Fetch the folder again.`,
          )
        }
        this.#places.set(name, { file, info })
        bytes += info.end - info.start
      }
    }
    this.bytes = bytes
  }

  has(name: string): boolean {
    return this.#places.has(name)
  }

  info(name: string): TensorInfo {
    return this.#place(name).info
  }

  names(): readonly string[] {
    return [...this.#places.keys()]
  }

  async read(name: string, offset: number, into: Uint8Array): Promise<void> {
    const { file, info } = this.#place(name)
    await file.read(info, offset, into)
  }

  async readAll(name: string): Promise<Uint8Array> {
    const { file, info } = this.#place(name)
    const into = allocate(info, file.path)
    await file.read(info, 0, into)
    return into
  }

  async close(): Promise<void> {
    await closeAll(this.#files)
  }

  #place(name: string) {
    const place = this.#places.get(name)
    if (place) return place
    const near = nearNames(name, this.#places.keys()).map((other) => `"${other}"`)
    const hint = near.length > 0 ? `; the nearest there are: ${near.join(', ')}` : ''
    throw new EngineError('model', `${this.folder}: tensor "${name}" is missing${hint}`)
  }
}

function allocate(info: TensorInfo, path: string): Uint8Array {
  const size = info.end - info.start
  try {
    return new Uint8Array(size)
  } catch (cause) {
    throw new EngineError('model', `${path}: tensor "${info.name}": no memory for ${size} bytes`, {
      cause,
    })
  }
}

async function listFolder(folder: string): Promise<string[]> {
  try {
    if ((await stat(folder)).isFile()) {
      const name = basename(folder)
      const isSingle = name === SINGLE || name === SHARD_INDEX
      throw isSingle
        ? new EngineError('model', `${folder} is a file; name its folder: ${dirname(folder)}`)
        : noWeights(dirname(folder), [name])
    }
    return (await readdir(folder)).sort()
  } catch (error) {
    if (error instanceof EngineError) throw error
    throw new EngineError(
      'model_not_found',
      `${folder}: no such model folder (${reasonOf(error)}). Expected a folder with config.json and ${SINGLE}.`,
      { cause: error },
    )
  }
}

/** Says what the folder has instead of safetensors, and what to do about it. */
function noWeights(folder: string, entries: readonly string[]): EngineError {
  const of = (wanted: (name: string) => boolean) => entries.filter(wanted).slice(0, 3).join(', ')
  const safetensors = of((name) => extname(name) === '.safetensors')
  const gguf = of((name) => extname(name).toLowerCase() === '.gguf')
  const pickles = of((name) => PICKLES.has(extname(name).toLowerCase()))
  if (safetensors) {
    return new EngineError(
      'model',
      `${folder}: found ${safetensors}, expected ${SINGLE} or ${SHARD_INDEX}. A single file: rename it to ${SINGLE}. Shards: fetch their index too.`,
    )
  }
  if (pickles) {
    return new EngineError(
      'model',
      `${folder}: ${pickles} is a pickle, which can run any code and is never opened. Convert it where you trust it: ` +
        `illuminator-convert ${folder}/${pickles} OUT --config ${folder}/config.json (pip install 'illuminator-sdk[convert]'), ` +
        `or python -c "import transformers as t; t.AutoModelForCausalLM.from_pretrained('IN').save_pretrained('OUT', safe_serialization=True)"`,
    )
  }
  if (gguf) {
    return new EngineError(
      'model',
      `${folder}: ${gguf} is GGUF. Make a model of it first (illuminator models import FILE.gguf), or use the safetensors folder (config.json and ${SINGLE}) that it was made from.`,
    )
  }
  return new EngineError(
    'model',
    `${folder}: no weights. Expected ${SINGLE}, or ${SHARD_INDEX} with its shards.`,
  )
}

/** Opens every shard of the index and checks that each tensor is where the index says. */
async function openShards(folder: string): Promise<SafetensorsFile[]> {
  const index = await readShardIndex(join(folder, SHARD_INDEX))
  const files: SafetensorsFile[] = []
  try {
    for (const [shard, names] of index) {
      const file = await SafetensorsFile.open(join(folder, shard))
      files.push(file)
      const absent = names.find((name) => !file.tensors.has(name))
      if (absent !== undefined) {
        throw new EngineError(
          'model',
          `${folder}: ${SHARD_INDEX} puts tensor "${absent}" in ${shard}, which does not have it. Fetch the folder again.`,
        )
      }
    }
    return files
  } catch (error) {
    await closeAll(files)
    throw error
  }
}

async function closeAll(files: readonly SafetensorsFile[]): Promise<void> {
  await Promise.all(files.map((file) => file.close()))
}
