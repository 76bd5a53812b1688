/** One try at a file: asks for what is missing, checks that it is the same content, and writes it where it belongs. */
import { type FileHandle, open } from 'node:fs/promises'
import { BusyError, ContentError, DownloadError } from './failures.ts'
import { type Beginning, beginningOf, discard, type Expected, noteContent } from './partial-file.ts'
import { Watchdog } from './watchdog.ts'

export interface TransferOptions {
  headers: Readonly<Record<string, string>>
  /** Bytes of this file that are on the disk. */
  onBytes?: ((done: number) => void) | undefined
  signal?: AbortSignal | undefined
  /** A connection that brings nothing for this long is dropped. Default 30 s. */
  stallMs?: number | undefined
}

/**
 * Brings the file at `path` to its whole length, or fails on the way and leaves what came.
 *
 * @throws DownloadError for what trying again cannot mend; anything else may pass
 */
export async function transfer(
  url: string,
  path: string,
  expected: Expected,
  options: TransferOptions,
): Promise<void> {
  const beginning = await beginningOf(path, expected)
  options.onBytes?.(beginning.bytes)
  if (beginning.bytes === expected.bytes && expected.bytes > 0) return
  const watch = new Watchdog(options.stallMs ?? 30_000, options.signal)
  try {
    const response = await fetch(url, {
      headers: { ...options.headers, ...rangeHeaders(beginning) },
      signal: watch.signal,
    })
    watch.feed()
    const from = await checkResponse(response, url, path, { beginning, expected })
    const file = await open(path, from > 0 ? 'r+' : 'w')
    try {
      // Not before the file is empty: a note never speaks of other bytes.
      if (from === 0) await noteContent(path, expected, strongEtag(response))
      await writeBody(response, file, { url, from, expected, watch, options })
      await file.datasync()
    } finally {
      await file.close()
    }
  } finally {
    watch.stop()
  }
}

/** With `If-Range` a server whose file has changed sends all of it. */
function rangeHeaders({ bytes, etag }: Beginning): Record<string, string> {
  // Compressed answers have no place for a range.
  const headers = { 'accept-encoding': 'identity' }
  if (bytes === 0) return headers
  const range = `bytes=${bytes}-`
  return etag === null ? { ...headers, range } : { ...headers, range, 'if-range': etag }
}

function strongEtag(response: Response): string | null {
  const etag = response.headers.get('etag')
  return etag !== null && /^"[^"]*"$/.test(etag) ? etag : null
}

interface Asked {
  beginning: Beginning
  expected: Expected
}

/** Where the body of the response belongs in the file. */
async function checkResponse(
  response: Response,
  url: string,
  path: string,
  { beginning, expected }: Asked,
): Promise<number> {
  const { status, headers } = response
  const start = beginning.bytes
  if (status === 200) {
    // Of what a hop on the way has packed all the same, the length says nothing.
    const isPacked = !['identity', null].includes(headers.get('content-encoding'))
    const length = isPacked ? null : headers.get('content-length')
    if (length !== null && Number(length) !== expected.bytes) {
      throw new ContentError(
        `${url}: the server has ${length} bytes, the hub states ${expected.bytes}; either the file was changed just now, or something between this machine and the server answers in its place`,
      )
    }
    return 0
  }
  if (status === 206 || status === 416) {
    const [, at, total] =
      /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '') ?? []
    const etag = strongEtag(response)
    const isSame = beginning.etag === null || etag === null || etag === beginning.etag
    const isWhole = total === '*' || Number(total) === expected.bytes
    if (status === 206 && start > 0 && Number(at) === start && isSame && isWhole) return start
    await discard(path)
    throw new Error(`asked to go on from byte ${start}, the server has other content by now`)
  }
  if (status === 408 || status === 429 || status >= 500) {
    throw new BusyError(status, headers.get('retry-after'))
  }
  throw refusal(response, url)
}

/** What a server that says no says. */
export function refusal({ status, headers }: Response, url: string): DownloadError {
  return new DownloadError(`${url}: the server answered ${status}`, {
    status,
    reason: headers.get('x-error-code'),
  })
}

interface Body {
  url: string
  from: number
  expected: Expected
  watch: Watchdog
  options: TransferOptions
}

async function writeBody(response: Response, file: FileHandle, body: Body): Promise<void> {
  let at = body.from
  for await (const chunk of response.body ?? []) {
    body.watch.feed()
    if (at + chunk.length > body.expected.bytes) {
      throw new ContentError(
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
