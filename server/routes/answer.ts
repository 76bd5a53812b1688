/** Answers a request with one generation, whole or streamed. */
import type { Chunk, GenerateResult } from '../../engine/api.ts'
import type { Backlog } from '../backlog.ts'
import { toHttpError } from '../contract/errors.ts'
import type { Lease } from '../models/served-model.ts'
import { DONE_FRAME, dataFrame, type Frames, FULL_WRITE, sseResponse } from '../sse.ts'
import type { Deps, RequestContext } from './env.ts'
import { askedOf, Job, left, type Start } from './job.ts'

export type { Start } from './job.ts'

/** The whole answer; rejects with the engine's error. */
export async function answerWhole(
  c: RequestContext,
  deps: Deps,
  lease: Lease,
  start: Start,
): Promise<GenerateResult> {
  const job = new Job(deps, { ...askedOf(c, lease.engine.info.id), lease }, start)
  try {
    for await (const _ of job.chunks());
    const result = await job.generation.result()
    job.end()
    return result
  } catch (error) {
    job.end(error)
    throw job.reason(error)
  }
}

/** Turns the chunks of one answer, one after the other, into the payloads of its data frames. */
export type Tell = (chunk: Chunk) => Iterable<unknown>

/**
 * A stream of frames. An error that the engine finds at once (a prompt that is too long) is thrown and becomes an
 * ordinary error answer; a later one becomes an error frame, and the stream ends without `[DONE]`.
 */
export async function answerStream(
  c: RequestContext,
  deps: Deps,
  lease: Lease,
  start: Start,
  tell: Tell,
): Promise<Response> {
  const job = new Job(deps, { ...askedOf(c, lease.engine.info.id), lease }, start)
  const chunks = job.chunks()
  try {
    await settlesInTime(c, deps, new Promise<void>((resolve) => chunks.wait(resolve)))
    const first = chunks.take()
    return sseResponse(new AnswerFrames(c, deps, job, chunks, tell, first), deps.keepAliveMs)
  } catch (error) {
    job.end(error)
    throw job.reason(error)
  }
}

/** The frames of an answer under way. */
class AnswerFrames implements Frames {
  readonly #c: RequestContext
  readonly #deps: Deps
  readonly #job: Job
  readonly #chunks: Backlog
  readonly #tell: Tell
  /** The chunk that was taken already. */
  #first: Chunk | undefined
  isOver = false

  constructor(
    c: RequestContext,
    deps: Deps,
    job: Job,
    chunks: Backlog,
    tell: Tell,
    first: Chunk | undefined,
  ) {
    this.#c = c
    this.#deps = deps
    this.#job = job
    this.#chunks = chunks
    this.#tell = tell
    this.#first = first
  }

  take(): string {
    let text = ''
    if (this.isOver) return text
    try {
      for (let chunk = this.#next(); chunk; chunk = this.#next()) {
        for (const payload of this.#tell(chunk)) text += dataFrame(payload)
        if (text.length >= FULL_WRITE) return text
      }
      if (!this.#chunks.isOver) return text
      this.#end()
      return text + DONE_FRAME
    } catch (error) {
      this.#end(error)
      return text + errorFrame(this.#c, this.#deps, error, this.#job.reason(error))
    }
  }

  wait(hear: () => void): void {
    this.#chunks.wait(hear)
  }

  leave(): void {
    this.isOver = true
    this.#job.abort()
    this.#job.end(left())
    // Whatever it was about to tell, there is nobody to hear it.
    this.#chunks.return().catch(() => undefined)
  }

  #next(): Chunk | undefined {
    const chunk = this.#first ?? this.#chunks.take()
    this.#first = undefined
    return chunk
  }

  #end(error: unknown = null): void {
    this.isOver = true
    this.#job.end(error)
  }
}

/**
 * An error as the last frame of a stream; one of our own goes to the log as well.
 * @param reason what the client is told
 */
export function errorFrame(
  c: RequestContext,
  deps: Deps,
  error: unknown,
  reason: unknown = error,
): string {
  const { requestId, dialect } = c.var
  const { body, ours } = toHttpError(reason, dialect, requestId)
  if (ours) {
    const line = `${requestId} failed in mid-stream: ${describe(error)}`
    deps.log(line, { message: 'A stream failed', requestId, error })
  }
  return dataFrame(body)
}

/**
 * Waits for a promise, for as long as a stream may before its first byte; rejects when it does. The time until here
 * counts: where many come at once, the last ones have waited for the others already. A later rejection is seen by
 * whoever awaits it next.
 */
export async function settlesInTime(
  c: RequestContext,
  { admissionMs }: Deps,
  promise: Promise<unknown>,
): Promise<void> {
  const remaining = Math.max(0, c.var.arrivedAt + admissionMs - performance.now())
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, remaining)
  })
  try {
    // The race subscribes to `promise`, so its later rejection never counts as unhandled.
    await Promise.race([promise, timeout])
  } finally {
    clearTimeout(timer)
  }
}

/** A thrown value for the operator's log, with its stack. */
export function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
