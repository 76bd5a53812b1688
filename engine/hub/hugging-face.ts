/**
 * Models from the Hugging Face hub (or a mirror with its API): the files of a repository are listed with their sizes
 * and hashes, the few that are needed are chosen, and each is downloaded and checked, several at once.
 *
 * Why not `@huggingface/hub` (2.17 looked at): its download neither resumes nor retries nor checks hashes, writes to
 * the console, knows no offline mode, and brings WebAssembly for a second protocol. Listing, which it does well, is
 * the short half of this.
 */
import { mkdir, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Progress } from '../api.ts'
import { isJsonObject, readJsonObject } from '../weights/json.ts'
import { downloadFile } from './download.ts'
import { ContentError, DownloadError } from './failures.ts'
import {
  type ApiOptions,
  explainRefusal,
  fileUrl,
  type HubFile,
  hubEndpoint,
  hubHeaders,
  type Listing,
  listFiles,
} from './hub-api.ts'
import { inParallel } from './in-parallel.ts'
import type { ModelId } from './model-id.ts'
import { type Expected, sizeOf } from './partial-file.ts'

export interface HubOptions extends ApiOptions {
  onProgress?: ((progress: Progress) => void) | undefined
}

/** A file that will be fetched. */
interface Wanted extends HubFile {
  expected: Expected
}

/** Files that come at once: enough to fill a line that one connection does not. */
const WIDTH = 4
const INDEX = 'model.safetensors.index.json'
const MAX_INDEX_BYTES = 100_000_000
const SMALL_FILES = new Set([
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'chat_template.jinja',
  'chat_template.json',
  'special_tokens_map.json',
])

/** Chat templates beside the default one. */
const MORE_TEMPLATES = /^additional_chat_templates\/[\w.-]+\.jinja$/

/**
 * Downloads what the engine needs of a model into `folder`, which may hold part of it already.
 *
 * @returns the commit that it is of; null on hubs that do not say
 * @throws DownloadError saying what failed and, where it helps, what to set; EngineError('aborted')
 */
export async function downloadFromHub(
  model: ModelId,
  folder: string,
  options: HubOptions,
): Promise<string | null> {
  const listing = await listFiles(model, options)
  try {
    await downloadListed(model, listing, folder, options)
    return listing.commit
  } catch (error) {
    if (!(error instanceof ContentError)) throw error
    const later = await listFiles(model, options)
    // The hub stands by what it stated.
    if (JSON.stringify(later) === JSON.stringify(listing)) throw error
    await downloadListed(model, later, folder, options)
    return later.commit
  }
}

async function downloadListed(
  model: ModelId,
  listing: Listing,
  folder: string,
  options: HubOptions,
): Promise<void> {
  const { files } = listing
  const small = files.filter(
    ({ path }) => SMALL_FILES.has(path) || path === INDEX || MORE_TEMPLATES.test(path),
  )
  if (!small.some(({ path }) => path === 'config.json')) {
    throw new DownloadError(`${model.id} has no config.json, so it is not a model in this form`)
  }
  const fetchAll = (list: readonly Wanted[]) =>
    inParallel(list, WIDTH, options.signal, (file, signal) =>
      fetchFile(model, listing, file, folder, { ...options, signal }),
    )
  await fetchAll(checkable(model, small))
  const weights = checkable(model, await chooseWeights(model, files, folder))
  await checkSpace(folder, weights)
  await fetchAll(weights)
}

/** What cannot be checked is not fetched. */
function checkable(model: ModelId, files: readonly HubFile[]): Wanted[] {
  return files.map(({ path, expected }) => {
    if (expected !== null) return { path, expected }
    throw new DownloadError(
      `${model.id}: the hub lists ${path} without a size and a hash to check it by; is HF_ENDPOINT a whole mirror?`,
    )
  })
}

async function fetchFile(
  model: ModelId,
  listing: Listing,
  file: Wanted,
  folder: string,
  options: HubOptions,
): Promise<void> {
  const { env, signal, pauseMs, onProgress } = options
  const total = file.expected.bytes
  let done = 0
  const tell = (note?: string) =>
    onProgress?.({
      phase: 'download',
      file: file.path,
      done,
      total,
      source: hubEndpoint(env),
      ...(note === undefined ? {} : { note }),
    })
  const path = join(folder, file.path)
  await mkdir(dirname(path), { recursive: true })
  try {
    await downloadFile(fileUrl(model, listing, file, env), path, file.expected, {
      headers: hubHeaders(env),
      signal,
      pauseMs,
      onBytes(bytes) {
        done = bytes
        tell()
      },
      onWait: (milliseconds) => tell(`the server asks to wait ${Math.ceil(milliseconds / 1000)} s`),
    })
  } catch (error) {
    throw error instanceof DownloadError ? explainRefusal(error, model, env) : error
  }
}

/** The shards that the index names, else model.safetensors, else every safetensors file. */
async function chooseWeights(
  model: ModelId,
  files: readonly HubFile[],
  folder: string,
): Promise<HubFile[]> {
  const all = files.filter((file) => file.path.endsWith('.safetensors'))
  if (files.some((file) => file.path === INDEX)) {
    const index = await readJsonObject(join(folder, INDEX), MAX_INDEX_BYTES)
    const names = new Set(isJsonObject(index.weight_map) ? Object.values(index.weight_map) : [])
    const chosen = all.filter((file) => names.has(file.path))
    if (chosen.length === names.size && names.size > 0) return chosen
    const missing = [...names].filter((name) => !chosen.some((file) => file.path === name))
    throw new DownloadError(`${model.id}: its index names ${missing.join(', ')}, which it lacks`)
  }
  const single = all.filter((file) => file.path === 'model.safetensors')
  if (all.length > 0) return single.length > 0 ? single : all
  const others = files.filter((file) => /\.(bin|pt|pth|gguf|onnx|h5)$/.test(file.path))
  throw new DownloadError(
    `${model.id} has no .safetensors weights${others.length > 0 ? ` (only ${others.map((file) => file.path).join(', ')})` : ''}; look for a safetensors form of it on the hub`,
  )
}

/** Room for what has not come yet. */
async function checkSpace(folder: string, files: readonly Wanted[]): Promise<void> {
  let needed = 0
  for (const { path, expected } of files) {
    needed += Math.max(0, expected.bytes - (await sizeOf(join(folder, path))))
  }
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize >= needed) return
  throw new DownloadError(
    `the weights take ${needed} more bytes, but only ${bavail * bsize} are free in ${folder}; free some, or set ILLUMINATOR_MODELS to a folder elsewhere`,
  )
}
