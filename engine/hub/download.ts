/**
 * One file from an HTTP server to the disk: resumed where an earlier try ended, retried when the connection drops,
 * and kept only when size and hash are what the hub stated.
 */
import { type FileHandle, open, rm, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { EngineError } from '../errors.ts'
import { reasonOf } from '../weights/json.ts'
import { type Checksum, checksumFile } from './checksum.ts'

/** What the finished file must be. */
export interface Expected {
  bytes: number
  hash: Checksum
}

export interface DownloadOptions {
  headers: Readonly<Record<string, string>>
  /** Bytes of this file that are on the disk. */
  onBytes?: (done: number) => void
  signal?: AbortSignal | undefined
  /** Tries in a row that bring nothing before giving up. Default 5. */
  tries?: number
  /** First pause between tries, doubled each time. Default 500 ms. */
  pauseMs?: number
  /** A connection that brings nothing for this long is dropped. Default 30 s. */
  stallMs?: number
}

/** A failure that trying again cannot mend. */
export class DownloadError extends Error {
  override readonly name = 'DownloadError'
  readonly status: number | undefined

  constructor(message: string, status?: number, options: ErrorOptions = {}) {
    super(message, options)
    this.status = status
  }
}

/**
 * Downloads `url` to `path`. Bytes already at `path` are taken as the beginning of the file.
 *
 * @throws DownloadError saying what the server did; EngineError('aborted'). A file whose hash is wrong is deleted.
 */
export async function downloadFile(
  url: string,
  path: string,
  expected: Expected,
  options: DownloadOptions,
): Promise<void> {
  const { tries = 5, pauseMs = 500 } = options
  let failures = 0
  let isFresh = (await sizeOf(path)) === 0
  for (;;) {
    const before = await sizeOf(path)
    try {
      await transfer(url, path, expected, options)
      const found = await checksumFile(path, expected.hash.kind)
      if (found === expected.hash.hex) return
      await rm(path, { force: true })
      if (isFresh) throw wrongHash(url, expected, found)
      // What an earlier run left may have been of another version: once more, from the beginning.
      isFresh = true
    } catch (error) {
      throwIfAborted(options.signal)
      if (error instanceof DownloadError || isDiskError(error)) throw error
      failures = (await sizeOf(path)) > before ? 1 : failures + 1
      if (failures >= tries) {
        throw new DownloadError(
          `${url}: the connection failed ${failures} times in a row (${reasonOf(causeOf(error))}); ${await sizeOf(path)} of ${expected.bytes} bytes are kept and the next try goes on from there`,
          undefined,
          { cause: error },
        )
      }
      const wait = error instanceof BusyError ? error.retryAfterMs : 0
      const pause = Math.max(wait, pauseMs * 2 ** (failures - 1) * (0.75 + Math.random() / 2))
      await sleep(pause, undefined, { signal: options.signal }).catch(() =>
        throwIfAborted(options.signal),
      )
    }
  }
}

/** The server asks to come back later. */
class BusyError extends Error {
  readonly retryAfterMs: number
  constructor(status: number, retryAfter: string | null) {
    super(`status ${status}`)
    const seconds = Number(retryAfter ?? 0)
    this.retryAfterMs = Number.isFinite(seconds) ? Math.min(seconds, 60) * 1000 : 0
  }
}

async function transfer(
  url: string,
  path: string,
  expected: Expected,
  options: DownloadOptions,
): Promise<void> {
  let start = await sizeOf(path)
  if (start > expected.bytes) {
    await rm(path)
    start = 0
  }
  options.onBytes?.(start)
  if (start === expected.bytes && start > 0) return
  // Compressed answers have no place for a range.
  const headers = { ...options.headers, 'accept-encoding': 'identity' }
  const watch = new Watchdog(options.stallMs ?? 30_000, options.signal)
  try {
    const response = await fetch(url, {
      headers: start > 0 ? { ...headers, range: `bytes=${start}-` } : headers,
      signal: watch.signal,
    })
    watch.feed()
    const from = checkResponse(response, url, start)
    const file = await open(path, from > 0 ? 'r+' : 'w')
    try {
      await writeBody(response, file, { url, from, expected, watch, options })
    } finally {
      await file.close()
    }
  } finally {
    watch.stop()
  }
}

/** Where the body of the response belongs in the file. */
function checkResponse(response: Response, url: string, start: number): number {
  const { status } = response
  if (status === 200) return 0
  if (status === 206) {
    const range = response.headers.get('content-range') ?? ''
    if (new RegExp(`^bytes ${start}-`).test(range)) return start
    throw new DownloadError(`${url}: asked for bytes from ${start}, the server sent "${range}"`)
  }
  if (status === 429 || status >= 500) {
    throw new BusyError(status, response.headers.get('retry-after'))
  }
  throw new DownloadError(`${url}: the server answered ${status}`, status)
}

interface Body {
  url: string
  from: number
  expected: Expected
  watch: Watchdog
  options: DownloadOptions
}

async function writeBody(response: Response, file: FileHandle, body: Body): Promise<void> {
  let at = body.from
  for await (const chunk of response.body ?? []) {
    body.watch.feed()
    if (at + chunk.length > body.expected.bytes) {
      throw new DownloadError(
        `${body.url}: the server sent more than the ${body.expected.bytes} bytes that the hub states`,
      )
    }
    for (let done = 0; done < chunk.length; ) {
      const { bytesWritten } = await file.write(chunk, done, chunk.length - done, at + done)
      done += bytesWritten
    }
    at += chunk.length
    body.options.onBytes?.(at)
  }
  if (at !== body.expected.bytes) {
    throw new Error(`ended after ${at} of ${body.expected.bytes} bytes`)
  }
}

/** Aborts when nothing comes for a while, or when the caller does. */
class Watchdog {
  readonly #controller = new AbortController()
  readonly #ms: number
  readonly #caller: AbortSignal | undefined
  readonly #onAbort = () => this.#controller.abort(this.#caller?.reason)
  #timer: NodeJS.Timeout

  constructor(ms: number, caller: AbortSignal | undefined) {
    this.#ms = ms
    this.#caller = caller
    if (caller?.aborted) this.#onAbort()
    caller?.addEventListener('abort', this.#onAbort)
    this.#timer = this.#start()
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  feed(): void {
    clearTimeout(this.#timer)
    this.#timer = this.#start()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#caller?.removeEventListener('abort', this.#onAbort)
    // Lets go of a connection that is still open; does nothing to one that ended.
    this.#controller.abort(new Error('finished'))
  }

  #start(): NodeJS.Timeout {
    return setTimeout(
      () => this.#controller.abort(new Error(`nothing came for ${this.#ms} ms`)),
      this.#ms,
    )
  }
}

function wrongHash(url: string, expected: Expected, found: string): DownloadError {
  return new DownloadError(
    `${url}: the ${basename(new URL(url).pathname)} that came has ${expected.hash.kind} ${found}, the hub states ${expected.hash.hex}; it was deleted. Try again, or look at what stands between this machine and the server`,
  )
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => null))?.size ?? 0
}

/** No space, no permission: trying again does not help, and the caller says which folder it is. */
function isDiskError(error: unknown): boolean {
  const call = (error as NodeJS.ErrnoException).syscall
  return call === 'open' || call === 'write' || call === 'unlink'
}

/** `fetch` says only "fetch failed"; its cause says why. */
export function causeOf(error: unknown): unknown {
  const cause = error instanceof Error ? error.cause : undefined
  if (cause instanceof AggregateError && cause.errors.length > 0) return cause.errors[0]
  return cause ?? error
}

/** Throws EngineError('aborted') when the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw new EngineError('aborted', 'Fetching the model was cancelled.', { cause: signal.reason })
  }
}
