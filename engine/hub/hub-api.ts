/** The hub's API as far as it is needed: which commit a revision is, and which files it has, with sizes and hashes. */
import { isJsonObject, reasonOf } from '../weights/json.ts'
import { backOff } from './back-off.ts'
import { BusyError, causeOf, DownloadError, throwIfAborted } from './failures.ts'
import { DEFAULT_MODEL, type ModelId } from './model-id.ts'
import type { Expected } from './partial-file.ts'
import { refusal } from './transfer.ts'

export interface ApiOptions {
  env: NodeJS.ProcessEnv
  signal?: AbortSignal | undefined
  /** For tests: the pause between tries. */
  pauseMs?: number
}

export interface HubFile {
  path: string
  /** Null where the hub states no size or no hash that could be checked. */
  expected: Expected | null
}

/** A revision of a model as it is now. */
export interface Listing {
  /** What the revision pointed to; null on hubs that do not say. */
  commit: string | null
  files: readonly HubFile[]
}

const TRIES = 3

/** The hub's address: `HF_ENDPOINT`, else huggingface.co. */
export function hubEndpoint(env: NodeJS.ProcessEnv): string {
  return (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '')
}

/** `HF_HUB_OFFLINE` as the Python library reads it. */
export function isHubOffline(env: NodeJS.ProcessEnv): boolean {
  return /^(1|true|yes|on)$/i.test(env.HF_HUB_OFFLINE ?? '')
}

/** The token goes to the hub's own address only: `fetch` drops it where an answer leads to another host. */
export function hubHeaders(env: NodeJS.ProcessEnv): Record<string, string> {
  const token = tokenOf(env)
  return {
    'user-agent': 'illuminator',
    ...(token ? { authorization: `Bearer ${token}` } : {}),
  }
}

const tokenOf = (env: NodeJS.ProcessEnv): string | undefined => env.HF_TOKEN?.trim()

/** Where a file of a listing lies: in the very commit that was listed. */
export function fileUrl(
  model: ModelId,
  { commit }: Listing,
  file: HubFile,
  env: NodeJS.ProcessEnv,
): string {
  const revision = encodeURIComponent(commit ?? model.revision ?? 'main')
  return `${hubEndpoint(env)}/${model.id}/resolve/${revision}/${encodeURIComponent(file.path)}`
}

/**
 * The files of a repository's top folder. The revision is looked up first, so that a push in between cannot mix two
 * versions.
 *
 * @throws DownloadError; EngineError('aborted')
 */
export async function listFiles(model: ModelId, options: ApiOptions): Promise<Listing> {
  const named = model.revision ?? 'main'
  const api = `${hubEndpoint(options.env)}/api/models/${model.id}`
  const commit = await commitOf(`${api}/revision/${encodeURIComponent(named)}`, model, options)
  const first = `${api}/tree/${encodeURIComponent(commit ?? named)}?recursive=true`
  const files: HubFile[] = []
  for (let url: string | null = first; url !== null; ) {
    const response: Response = await request(url, model, options)
    const entries = await json(response, url, options)
    if (!Array.isArray(entries)) throw new DownloadError(`${first}: the answer is not a list`)
    files.push(...entries.flatMap(readEntry))
    url = nextPage(response, first)
  }
  return { commit, files }
}

async function commitOf(url: string, model: ModelId, options: ApiOptions): Promise<string | null> {
  const facts = await json(await request(url, model, options), url, options)
  const sha = isJsonObject(facts) ? facts.sha : null
  return typeof sha === 'string' && /^[0-9a-f]{40,64}$/.test(sha) ? sha : null
}

async function json(response: Response, url: string, options: ApiOptions): Promise<unknown> {
  try {
    return (await response.json()) as unknown
  } catch (cause) {
    throwIfAborted(options.signal)
    throw new DownloadError(`${url}: the answer is no JSON (${reasonOf(cause)})`, { cause })
  }
}

/** The first answer must come within seconds, so that a machine without network goes on to other sources. */
async function request(url: string, model: ModelId, options: ApiOptions): Promise<Response> {
  const { env, signal } = options
  const seconds = Number(env.HF_HUB_ETAG_TIMEOUT) || 5
  for (let attempt = 1; ; attempt++) {
    const timeout = AbortSignal.timeout(seconds * 1000)
    const either = signal ? AbortSignal.any([timeout, signal]) : timeout
    try {
      const response = await fetch(url, { headers: hubHeaders(env), signal: either })
      if (response.ok) return response
      const { status, headers } = response
      if (status !== 429 && status < 500) {
        throw explainRefusal(refusal(response, url), model, env)
      }
      throw new BusyError(status, headers.get('retry-after'))
    } catch (cause) {
      throwIfAborted(signal)
      if (cause instanceof DownloadError) throw cause
      if (attempt === TRIES || !mayPass(cause)) throw noAnswer(url, cause, timeout, seconds)
      await backOff(cause, attempt, options)
    }
  }
}

/** No network at all does not pass; a connection that was lost does. */
function mayPass(error: unknown): boolean {
  const code = (causeOf(error) as NodeJS.ErrnoException).code
  return error instanceof BusyError || code === 'ECONNRESET' || code === 'UND_ERR_SOCKET'
}

function noAnswer(url: string, cause: unknown, timeout: AbortSignal, seconds: number) {
  if (cause instanceof BusyError) return new DownloadError(`${url}: ${cause.message}`, { cause })
  const why = timeout.aborted ? `no answer in ${seconds} s` : reasonOf(causeOf(cause))
  return new DownloadError(`${url}: no connection (${why})`, { cause })
}

function readEntry(entry: unknown): HubFile[] {
  if (!isJsonObject(entry) || entry.type !== 'file') return []
  const { path, size, oid, lfs } = entry
  // Only plain names: a path from the network never chooses a folder on this machine.
  if (typeof path !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(path)) return []
  const large = isJsonObject(lfs) ? lfs : null
  const bytes = typeof large?.size === 'number' ? large.size : size
  const hex = large === null ? oid : large.oid
  const isHash = typeof hex === 'string' && (large ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/).test(hex)
  if (!isHash || typeof bytes !== 'number' || !Number.isSafeInteger(bytes)) {
    return [{ path, expected: null }]
  }
  return [{ path, expected: { bytes, hash: { kind: large ? 'sha256' : 'git-sha1', hex } } }]
}

/** The next page of a long listing; never on another host, since the token goes with the request. */
function nextPage(response: Response, first: string): string | null {
  const link = /<([^>]+)>\s*;\s*rel="next"/.exec(response.headers.get('link') ?? '')?.[1]
  if (link === undefined) return null
  const url = new URL(link, first)
  return url.origin === new URL(first).origin ? url.href : null
}

/** The refusal with what to do about it, where that is known. */
export function explainRefusal(
  error: DownloadError,
  model: ModelId,
  env: NodeJS.ProcessEnv,
): DownloadError {
  const hint = hintFor(error, model, env)
  if (hint === null) return error
  const { status, reason = null } = error
  const facts = { reason, cause: error, ...(status === undefined ? {} : { status }) }
  return new DownloadError(`${error.message}: ${hint}`, facts)
}

function hintFor(
  { status, reason }: DownloadError,
  { id, revision }: ModelId,
  env: NodeJS.ProcessEnv,
): string | null {
  const at = revision === undefined ? id : `${id} at revision ${revision}`
  const terms = `accept its terms at ${hubEndpoint(env)}/${id}`
  const hasToken = Boolean(tokenOf(env))
  if (reason === 'GatedRepo') {
    return hasToken
      ? `${id} is gated, and the account of HF_TOKEN may not read it: ${terms}, wait where its owners approve each request, or set HF_TOKEN to a token of an account that may`
      : `${id} is gated: ${terms}, then set HF_TOKEN to a token of the account that did`
  }
  if (status === 401) {
    return hasToken
      ? `HF_TOKEN is no valid token there, or ${at} does not exist or is private: check the name, or set HF_TOKEN to a token that may read it`
      : `${at} does not exist or is private: check the name, or set HF_TOKEN to a token that may read it`
  }
  if (status === 403) {
    return `${hasToken ? 'the account of HF_TOKEN' : 'a caller without HF_TOKEN'} may not read ${at}: ${terms}, or set HF_TOKEN to another token`
  }
  if (status !== 404) return null
  if (reason === 'RevisionNotFound') return `${id} has no revision ${revision ?? 'main'}`
  if (reason === 'EntryNotFound') return `${at} has no such file any more; try again`
  return `there is no ${at} (an example of an id: ${DEFAULT_MODEL})`
}
