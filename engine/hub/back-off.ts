/** Asks a server again after failures that may pass, ever more slowly, and never sooner than it asked for. */
import { setTimeout as sleep } from 'node:timers/promises'
import { BusyError, DownloadError, throwIfAborted } from './failures.ts'

export interface BackOffOptions {
  /** First pause between tries, doubled each time. Default 500 ms. */
  pauseMs?: number | undefined
  signal?: AbortSignal | undefined
  /** Hears of a wait that the server asked for. */
  onWait?: ((milliseconds: number) => void) | undefined
}

/** Longest wait that a server may ask for: beyond, a person decides. */
const LONGEST_WAIT_MS = 600_000

/**
 * Waits before the next try.
 *
 * @param failures failures in a row, from 1
 * @throws DownloadError when the server asks for more than ten minutes; EngineError('aborted')
 */
export async function backOff(
  error: unknown,
  failures: number,
  { pauseMs = 500, signal, onWait }: BackOffOptions,
): Promise<void> {
  const asked = error instanceof BusyError ? error.waitMs : 0
  if (asked > LONGEST_WAIT_MS) {
    const minutes = Math.ceil(asked / 60_000)
    const message = `the server is busy and asks to wait ${minutes} minutes; try again then`
    throw new DownloadError(message, { cause: error })
  }
  // A little more or less, so that many who failed together do not come back together.
  const own = pauseMs * 2 ** (failures - 1) * (0.75 + Math.random() / 2)
  if (asked > own) onWait?.(asked)
  await sleep(Math.max(asked, own), undefined, { signal }).catch(() => throwIfAborted(signal))
}
