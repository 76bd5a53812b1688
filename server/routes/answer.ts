/** Answers a request with one generation, whole or streamed. */
import type { Chunk, GenerateResult } from '../../engine/api.ts'
import type { Backlog } from '../backlog.ts'
import { toHttpError } from '../contract/errors.ts'
import type { Lease } from '../models/served-model.ts'
import { DONE_FRAME, dataFrame, sseResponse } from '../sse.ts'
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

/**
 * A stream of frames. An error that the engine finds at once (a prompt that is too long) is thrown and becomes an
 * ordinary error answer; a later one becomes an error frame, and the stream ends without `[DONE]`.
 * @param frames turns chunks into the payloads of the data frames
 */
export async function answerStream(
  c: RequestContext,
  deps: Deps,
  lease: Lease,
  start: Start,
  frames: (chunks: AsyncIterable<Chunk>) => AsyncIterable<unknown>,
): Promise<Response> {
  const job = new Job(deps, { ...askedOf(c, lease.engine.info.id), lease }, start)
  try {
    const chunks = job.chunks()
    const first = chunks.next()
    await settlesInTime(c, deps, first)
    const events = eventsOf(c, deps, job, frames(resume(first, chunks)))
    return sseResponse(events, {
      keepAliveMs: deps.keepAliveMs,
      onCancel() {
        job.abort()
        job.end(left())
      },
    })
  } catch (error) {
    job.end(error)
    throw job.reason(error)
  }
}

async function* eventsOf(
  c: RequestContext,
  deps: Deps,
  job: Job,
  payloads: AsyncIterable<unknown>,
): AsyncGenerator<string, void> {
  try {
    for await (const payload of payloads) yield dataFrame(payload)
    job.end()
    yield DONE_FRAME
  } catch (error) {
    job.end(error)
    yield errorFrame(c, deps, error, job.reason(error))
  } finally {
    job.end(left())
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

/** Goes on with chunks of which the first was asked for already. Not a generator: each one costs every token. */
function resume(first: ReturnType<Backlog['next']>, chunks: Backlog): AsyncIterable<Chunk> {
  let step = () => {
    step = () => chunks.next()
    return first
  }
  const rest = { next: () => step(), return: () => chunks.return() }
  return { [Symbol.asyncIterator]: () => rest }
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
