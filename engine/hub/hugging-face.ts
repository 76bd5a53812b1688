/**
 * Models from the Hugging Face hub (or a mirror with its API): the files of a repository are listed with their sizes
 * and hashes, the few that are needed are chosen, and each is downloaded and checked.
 *
 * Why not `@huggingface/hub` (2.17 looked at): its download neither resumes nor retries nor checks hashes, writes to
 * the console, knows no offline mode, and brings WebAssembly for a second protocol. Listing, which it does well, is
 * the short half of this file.
 */
import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { Progress } from '../api.ts'
import { isJsonObject, readJsonObject, reasonOf } from '../weights/json.ts'
import { causeOf, DownloadError, downloadFile, type Expected, throwIfAborted } from './download.ts'
import { DEFAULT_MODEL, type ModelId } from './model-id.ts'

export interface HubOptions {
  env: NodeJS.ProcessEnv
  onProgress?: ((progress: Progress) => void) | undefined
  signal?: AbortSignal | undefined
  /** For tests: the pause between tries. */
  pauseMs?: number
}

interface HubFile {
  path: string
  expected: Expected
}

const INDEX = 'model.safetensors.index.json'
const MAX_INDEX_BYTES = 100_000_000
const SMALL_FILES = new Set([
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'chat_template.jinja',
  'special_tokens_map.json',
])

/** The hub's address: `HF_ENDPOINT`, else huggingface.co. */
export function hubEndpoint(env: NodeJS.ProcessEnv): string {
  return (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '')
}

/** `HF_HUB_OFFLINE` as the Python library reads it. */
export function isHubOffline(env: NodeJS.ProcessEnv): boolean {
  return /^(1|true|yes|on)$/i.test(env.HF_HUB_OFFLINE ?? '')
}

/**
 * Downloads what the engine needs of a model into `folder`, which may hold part of it already.
 *
 * @throws DownloadError saying what failed and, where it helps, what to set; EngineError('aborted')
 */
export async function downloadFromHub(
  model: ModelId,
  folder: string,
  options: HubOptions,
): Promise<void> {
  const files = await listFiles(model, options)
  const small = files.filter((file) => SMALL_FILES.has(file.path) || file.path === INDEX)
  if (!small.some((file) => file.path === 'config.json')) {
    throw new DownloadError(`${model.id} has no config.json, so it is not a model in this form`)
  }
  const fetchAll = async (list: readonly HubFile[]) => {
    for (const file of list) await fetchFile(model, file, folder, options)
  }
  await fetchAll(small)
  const weights = await chooseWeights(model, files, folder)
  await checkSpace(folder, weights)
  await fetchAll(weights)
}

async function fetchFile(
  model: ModelId,
  file: HubFile,
  folder: string,
  options: HubOptions,
): Promise<void> {
  const endpoint = hubEndpoint(options.env)
  const revision = encodeURIComponent(model.revision ?? 'main')
  const url = `${endpoint}/${model.id}/resolve/${revision}/${encodeURIComponent(file.path)}`
  const total = file.expected.bytes
  try {
    await downloadFile(url, join(folder, file.path), file.expected, {
      headers: requestHeaders(options.env),
      signal: options.signal,
      ...(options.pauseMs === undefined ? {} : { pauseMs: options.pauseMs }),
      onBytes: (done) =>
        options.onProgress?.({ phase: 'download', file: file.path, done, total, source: endpoint }),
    })
  } catch (error) {
    throw error instanceof DownloadError ? explainStatus(error, model) : error
  }
}

/** Every file of the repository's top folder. */
async function listFiles(model: ModelId, options: HubOptions): Promise<HubFile[]> {
  const revision = encodeURIComponent(model.revision ?? 'main')
  const first = `${hubEndpoint(options.env)}/api/models/${model.id}/tree/${revision}?recursive=true`
  const files: HubFile[] = []
  for (let url: string | null = first; url !== null; ) {
    const response: Response = await request(url, model, options)
    const entries: unknown = await response.json().catch((cause: unknown) => {
      throwIfAborted(options.signal)
      const why = reasonOf(cause)
      throw new DownloadError(`${first}: the answer is no JSON (${why})`, undefined, { cause })
    })
    if (!Array.isArray(entries)) throw new DownloadError(`${first}: the answer is not a list`)
    files.push(...entries.flatMap(readEntry))
    url = nextPage(response, first)
  }
  return files
}

/** The first answer must come within seconds, so that a machine without network goes on to other sources. */
async function request(url: string, model: ModelId, options: HubOptions): Promise<Response> {
  const seconds = Number(options.env.HF_HUB_ETAG_TIMEOUT) || 5
  const timeout = AbortSignal.timeout(seconds * 1000)
  const signal = options.signal ? AbortSignal.any([timeout, options.signal]) : timeout
  for (let attempt = 1; ; attempt++) {
    try {
      const response = await fetch(url, { headers: requestHeaders(options.env), signal })
      if (response.ok) return response
      if (response.status < 500 || attempt === 3) {
        throw explainStatus(
          new DownloadError(`${url}: the server answered ${response.status}`, response.status),
          model,
        )
      }
    } catch (cause) {
      throwIfAborted(options.signal)
      if (cause instanceof DownloadError) throw cause
      const code = (causeOf(cause) as NodeJS.ErrnoException).code
      const isDropped = code === 'ECONNRESET' || code === 'UND_ERR_SOCKET'
      if (!isDropped || attempt === 3) {
        const why = timeout.aborted ? `no answer in ${seconds} s` : reasonOf(causeOf(cause))
        throw new DownloadError(`${url}: no connection (${why})`, undefined, { cause })
      }
    }
  }
}

function requestHeaders(env: NodeJS.ProcessEnv): Record<string, string> {
  const token = env.HF_TOKEN?.trim()
  return {
    'user-agent': 'illuminator',
    ...(token ? { authorization: `Bearer ${token}` } : {}),
  }
}

function readEntry(entry: unknown): HubFile[] {
  if (!isJsonObject(entry) || entry.type !== 'file') return []
  const { path, size, oid, lfs } = entry
  // Only plain names: a path from the network never chooses a folder on this machine.
  if (typeof path !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(path)) return []
  const stated = isJsonObject(lfs)
    ? { kind: 'sha256', hex: lfs.oid }
    : { kind: 'git-sha1', hex: oid }
  const bytes = isJsonObject(lfs) && typeof lfs.size === 'number' ? lfs.size : size
  const length = stated.kind === 'sha256' ? 64 : 40
  if (typeof bytes !== 'number' || typeof stated.hex !== 'string') return []
  if (!new RegExp(`^[0-9a-f]{${length}}$`).test(stated.hex) || !Number.isSafeInteger(bytes)) {
    return []
  }
  const kind = stated.kind === 'sha256' ? 'sha256' : 'git-sha1'
  return [{ path, expected: { bytes, hash: { kind, hex: stated.hex } } }]
}

/** The next page of a long listing; never on another host, since the token goes with the request. */
function nextPage(response: Response, first: string): string | null {
  const link = /<([^>]+)>\s*;\s*rel="next"/.exec(response.headers.get('link') ?? '')?.[1]
  if (link === undefined) return null
  const url = new URL(link, first)
  return url.origin === new URL(first).origin ? url.href : null
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

async function checkSpace(folder: string, files: readonly HubFile[]): Promise<void> {
  const needed = files.reduce((sum, file) => sum + file.expected.bytes, 0)
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize >= needed) return
  throw new DownloadError(
    `the weights take ${needed} bytes, but only ${bavail * bsize} are free in ${folder}; free some, or set ILLUMINATOR_MODELS to a folder elsewhere`,
  )
}

function explainStatus(error: DownloadError, { id, revision }: ModelId): DownloadError {
  const at = revision === undefined ? id : `${id} at revision ${revision}`
  const hint = {
    401: `${at} does not exist or is private: check the name, or set HF_TOKEN to a token that may read it`,
    403: `this token may not read ${at}: accept the model's terms on its page, or set HF_TOKEN to another token`,
    404: `there is no ${at} (an example of an id: ${DEFAULT_MODEL})`,
  }[error.status ?? 0]
  if (hint === undefined) return error
  return new DownloadError(`${error.message}: ${hint}`, error.status, { cause: error })
}
