/** Answers a request with one generation, whole or streamed. */
import type { Chunk, GenerateResult } from '../../engine/api.ts'
import { toHttpError } from '../contract/errors.ts'
import { DONE_FRAME, dataFrame, sseResponse } from '../sse.ts'
import type { Deps, RequestContext } from './env.ts'
import { Job, left, requestOf, type Start } from './job.ts'

export type { Start } from './job.ts'

/** The whole answer; rejects with the engine's error. */
export async function answerWhole(
  c: RequestContext,
  deps: Deps,
  model: string,
  start: Start,
): Promise<GenerateResult> {
  const job = new Job(deps, requestOf(c, model), start)
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
  model: string,
  start: Start,
  frames: (chunks: AsyncIterable<Chunk>) => AsyncIterable<unknown>,
): Promise<Response> {
  const job = new Job(deps, requestOf(c, model), start)
  try {
    const chunks = job.chunks()
    const first = chunks.next()
    await settlesWithin(first, deps.admissionMs)
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
    const { body, ours } = toHttpError(job.reason(error), c.var.dialect, c.var.requestId)
    if (ours) {
      const { requestId } = c.var
      const message = 'A stream failed'
      deps.log(`${requestId} failed in mid-stream: ${describe(error)}`, {
        message,
        requestId,
        error,
      })
    }
    yield dataFrame(body)
  } finally {
    job.end(left())
  }
}

/** Goes on with an iterator whose first step was taken already, and closes it when left early. */
async function* resume(
  first: Promise<IteratorResult<Chunk>>,
  chunks: AsyncIterator<Chunk>,
): AsyncGenerator<Chunk, void> {
  try {
    for (let step = await first; !step.done; step = await chunks.next()) yield step.value
  } finally {
    await chunks.return?.()
  }
}

/** Waits for a promise, at most so long; rejects when it does. A later rejection is seen by whoever awaits it next. */
async function settlesWithin(promise: Promise<unknown>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds)
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
