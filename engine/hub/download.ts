/**
 * One file from an HTTP server to the disk: resumed where an earlier try ended, retried when the connection drops,
 * and kept only when size and hash are what the hub stated.
 */
import { basename } from 'node:path'
import { reasonOf } from '../weights/json.ts'
import { type BackOffOptions, backOff } from './back-off.ts'
import { checksumFile } from './checksum.ts'
import { ContentError, causeOf, DownloadError, isDiskError, throwIfAborted } from './failures.ts'
import { beginningOf, discard, type Expected, removeNote, sizeOf } from './partial-file.ts'
import { type TransferOptions, transfer } from './transfer.ts'

export interface DownloadOptions extends TransferOptions, BackOffOptions {
  /** Tries in a row that bring nothing before giving up. Default 5. */
  tries?: number
}

/**
 * Downloads `url` to `path`. Bytes that an earlier try left at `path` are taken as the beginning of the file.
 *
 * @throws DownloadError saying what the server did; EngineError('aborted'); errors of the disk as they are. A file
 *   whose hash is wrong is deleted.
 */
export async function downloadFile(
  url: string,
  path: string,
  expected: Expected,
  options: DownloadOptions,
): Promise<void> {
  const { tries = 5, signal } = options
  let failures = 0
  /** The most that was ever there: only beyond it is progress, since some servers begin anew each time. */
  let most = (await beginningOf(path, expected)).bytes
  let isFresh = most === 0
  for (;;) {
    try {
      await transfer(url, path, expected, options)
      const found = await checksumFile(path, expected.hash.kind)
      if (found === expected.hash.hex) return await removeNote(path)
      await discard(path)
      if (isFresh) throw wrongHash(url, expected, found)
      // What an earlier run left may have been of another version: once more, from the beginning.
      isFresh = true
      most = 0
    } catch (error) {
      throwIfAborted(signal)
      if (error instanceof DownloadError || isDiskError(error)) throw error
      const now = await sizeOf(path)
      failures = now > most ? 1 : failures + 1
      most = Math.max(most, now)
      if (failures >= tries) {
        throw new DownloadError(
          `${url}: the connection failed ${failures} times in a row (${reasonOf(causeOf(error))}); ${now} of ${expected.bytes} bytes are kept and the next try goes on from there`,
          { cause: error },
        )
      }
      await backOff(error, failures, options)
    }
  }
}

function wrongHash(url: string, { hash }: Expected, found: string): ContentError {
  return new ContentError(
    `${url}: the ${basename(new URL(url).pathname)} that came has ${hash.kind} ${found}, the hub states ${hash.hex}; it was deleted. Try again, or look at what stands between this machine and the server`,
  )
}
