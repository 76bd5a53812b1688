/** The models on this machine: which folders are whole, what they hold, and removing them. */
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { EngineError } from '../errors.ts'
import { isJsonObject } from '../weights/json.ts'
import {
  defaultModelsFolder,
  folderOf,
  type ModelId,
  parseModelId,
  RESERVED_ENDING,
} from './model-id.ts'

/** One model in the models folder. */
export interface StoredModel {
  id: string
  folder: string
  bytes: number
  /** As config.json names it, for instance `LlamaForCausalLM`; null where it does not. */
  architecture: string | null
  /** For instance `bf16`, or `affine-4bit/32`; null where config.json does not say. */
  weights: string | null
  /** Tokens, as config.json says; null where it does not. */
  contextLength: number | null
}

/** Where a model came from, as the folder itself keeps it. */
export interface Origin {
  source: string
  /** What was asked for; null: the hub's `main`. */
  revision: string | null
  /** What the revision pointed to then; null where the source has no commits. */
  commit: string | null
  /** When, in ISO 8601. */
  fetched: string | null
}

/** Where each source keeps what it has fetched so far, beside the model's folder. */
export const PARTIALS = ['.hub.partial', '.wheel.partial'] as const

const INDEX = 'model.safetensors.index.json'
const ORIGIN = 'illuminator.json'

/**
 * Why a folder is not a whole model, or null when it is one: config.json is there, and all of its safetensors.
 */
export async function whyIncomplete(folder: string): Promise<string | null> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => error)
  if (names instanceof Error) {
    return names.code === 'ENOENT' ? 'there is no such folder' : `cannot be read (${names.code})`
  }
  if (!names.includes('config.json')) return 'it has no config.json'
  if (!names.includes(INDEX)) {
    const has = names.some((name) => name.endsWith('.safetensors'))
    return has ? null : 'it has no .safetensors file'
  }
  const index = await readJson(join(folder, INDEX))
  const map = isJsonObject(index) && isJsonObject(index.weight_map) ? index.weight_map : {}
  const missing = [...new Set(Object.values(map))].filter((name) => !names.includes(String(name)))
  return missing.length > 0 ? `it lacks ${missing.join(', ')}` : null
}

/** Notes in a folder that was fetched where it came from. */
export async function writeOrigin(
  folder: string,
  { source, id, revision, commit }: ModelId & { source: string; commit: string | null },
): Promise<void> {
  const fetched = new Date().toISOString()
  const origin = { source, id, revision: revision ?? null, commit, fetched }
  await writeFile(join(folder, ORIGIN), `${JSON.stringify(origin, null, 2)}\n`)
}

/** Where the model in a folder came from; null where nothing was noted. */
export async function readOrigin(folder: string): Promise<Origin | null> {
  const noted = await readJson(join(folder, ORIGIN))
  if (!isJsonObject(noted) || typeof noted.source !== 'string') return null
  const text = (value: unknown) => (typeof value === 'string' ? value : null)
  return {
    source: noted.source,
    revision: text(noted.revision),
    commit: text(noted.commit),
    fetched: text(noted.fetched),
  }
}

/** The whole models under a folder (two levels deep), by id. An absent folder holds none. */
export async function listModels(
  modelsFolder: string = defaultModelsFolder(),
): Promise<StoredModel[]> {
  const found: StoredModel[] = []
  for (const folder of await subfolders(modelsFolder)) {
    for (const each of [folder, ...(await subfolders(folder))]) {
      if ((await whyIncomplete(each)) !== null) continue
      const id = relative(modelsFolder, each).split(sep).join('/')
      found.push({ id, folder: each, ...(await describeFolder(each)) })
    }
  }
  return found.sort((a, b) => (a.id < b.id ? -1 : 1))
}

/**
 * Deletes a model and what is left of an unfinished download of it.
 *
 * @returns the bytes that were freed
 * @throws EngineError('model_not_found') when neither is there; EngineError('bad_request') for a wrong id
 */
export async function removeModel(
  idText: string,
  modelsFolder: string = defaultModelsFolder(),
): Promise<{ folder: string; bytes: number }> {
  const folder = folderOf(parseModelId(idText), modelsFolder)
  let bytes = 0
  let isFound = false
  for (const each of [folder, ...PARTIALS.map((ending) => folder + ending)]) {
    if (!(await stat(each).catch(() => null))?.isDirectory()) continue
    isFound = true
    bytes += await folderBytes(each)
    // Renamed first, so that a half-removed folder is never taken for a model.
    const doomed = `${folder}.removing`
    await rm(doomed, { recursive: true, force: true })
    await rename(each, doomed)
    await rm(doomed, { recursive: true, force: true })
  }
  if (isFound) return { folder, bytes }
  const ids = (await listModels(modelsFolder)).map((model) => model.id)
  throw new EngineError(
    'model_not_found',
    `There is no model ${JSON.stringify(idText)} in ${modelsFolder}; it holds ${ids.join(', ') || 'none'}.`,
  )
}

async function subfolders(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw new EngineError('model', `${folder} cannot be read (${error.code}).`, { cause: error })
    },
  )
  return entries
    .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
    .filter((entry) => !RESERVED_ENDING.test(entry.name) && !entry.name.startsWith('.'))
    .map((entry) => join(folder, entry.name))
}

async function describeFolder(folder: string): Promise<Omit<StoredModel, 'id' | 'folder'>> {
  const config = await readJson(join(folder, 'config.json'))
  const bytes = await folderBytes(folder)
  if (!isJsonObject(config))
    return { bytes, architecture: null, weights: null, contextLength: null }
  const [architecture = null] = Array.isArray(config.architectures) ? config.architectures : []
  return {
    bytes,
    architecture: typeof architecture === 'string' ? architecture : null,
    weights: describeWeights(config),
    contextLength: contextOf(config),
  }
}

/** Most families' key, and GPT-2's. */
function contextOf(config: Readonly<Record<string, unknown>>): number | null {
  const length = config.max_position_embeddings ?? config.n_positions
  return typeof length === 'number' ? length : null
}

function describeWeights(config: Readonly<Record<string, unknown>>): string | null {
  const quantization = config.quantization ?? config.quantization_config
  if (isJsonObject(quantization)) {
    const { bits, group_size: group, quant_method: method } = quantization
    if (typeof method === 'string')
      return typeof bits === 'number' ? `${method}-${bits}bit` : method
    if (typeof bits === 'number') return `affine-${bits}bit/${String(group)}`
  }
  const type = String(config.torch_dtype ?? config.dtype ?? '')
  return { bfloat16: 'bf16', float16: 'f16', float32: 'f32' }[type] ?? null
}

async function folderBytes(folder: string): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) bytes += await folderBytes(path)
    else bytes += (await stat(path).catch(() => null))?.size ?? 0
  }
  return bytes
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch {
    // Listing goes on past a broken file; opening the model says what is wrong with it.
    return null
  }
}
