/** What goes wrong while a model is fetched, sorted by what can be done about it. */
import { EngineError } from '../errors.ts'

/** A failure that trying again cannot mend. */
export class DownloadError extends Error {
  override readonly name: string = 'DownloadError'
  /** HTTP's, where a server said no. */
  readonly status: number | undefined
  /** The hub's own word for it (`x-error-code`), for instance `GatedRepo`. */
  readonly reason: string | undefined

  constructor(
    message: string,
    options: ErrorOptions & { status?: number; reason?: string | null } = {},
  ) {
    super(message, options)
    this.status = options.status
    this.reason = options.reason ?? undefined
  }
}

/** What came is not what the hub stated: a lie, a proxy's page, or a file that was changed since it was listed. */
export class ContentError extends DownloadError {
  override readonly name = 'ContentError'
}

/** The server is busy, or asks to come back later. */
export class BusyError extends Error {
  override readonly name = 'BusyError'
  /** Milliseconds that it asks to wait; 0 where it does not say. */
  readonly waitMs: number

  constructor(status: number, retryAfter: string | null) {
    super(`the server answered ${status}`)
    this.waitMs = retryAfterMs(retryAfter, Date.now())
  }
}

/** `Retry-After` in milliseconds: seconds, or a date. What is neither asks for nothing. */
export function retryAfterMs(text: string | null, now: number): number {
  if (text === null) return 0
  const asked = /^\s*\d+(\.\d+)?\s*$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now
  return Number.isFinite(asked) ? Math.max(0, asked) : 0
}

/** No space, no permission: trying again does not help, and the caller says which folder it is. */
export function isDiskError(error: unknown): boolean {
  const calls = ['open', 'write', 'unlink', 'ftruncate', 'fdatasync']
  return calls.includes((error as NodeJS.ErrnoException).syscall ?? '')
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
