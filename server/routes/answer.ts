/**
 * Runs one generation for one request, whole or streamed: the one place where a disconnect, a drain that runs out of
 * time and the engine meet, through one `AbortSignal`.
 */
import type { Chunk, GenerateOptions, GenerateResult, Generation } from '../../engine/api.ts'
import { EngineError } from '../../engine/errors.ts'
import { ApiError, toHttpError } from '../contract/errors.ts'
import { DONE_FRAME, dataFrame, sseResponse } from '../sse.ts'
import type { Deps, RequestContext } from './env.ts'

/** What ends a request from outside: the signal is the engine's only way to learn that nobody waits any more. */
export type Control = Pick<GenerateOptions, 'signal' | 'timeout'>

/** Starts the work. */
export type Start = (control: Control) => Generation

/** One generation under way: its signal, and its end (idempotent), which also updates the server's health. */
interface Job {
  readonly control: Control
  abort(): void
  end(error?: unknown): void
}

function openJob(c: RequestContext, deps: Deps): Job {
  const controller = new AbortController()
  const abort = () => controller.abort()
  // By hand and not `AbortSignal.any`: the stop signal outlives every request and must not keep them.
  const sources = [c.req.raw.signal, deps.lifecycle.stopSignal]
  for (const source of sources) {
    if (source.aborted) abort()
    else source.addEventListener('abort', abort, { once: true })
  }
  const countOut = deps.lifecycle.begin()
  return {
    control: {
      signal: controller.signal,
      ...(deps.timeoutMs === undefined ? {} : { timeout: deps.timeoutMs }),
    },
    abort,
    end(error) {
      for (const source of sources) source.removeEventListener('abort', abort)
      if (error instanceof EngineError && error.code === 'gpu') {
        deps.lifecycle.reportFault(error.message)
      }
      countOut()
    },
  }
}

/** The whole answer; rejects with the engine's error. */
export async function answerWhole(
  c: RequestContext,
  deps: Deps,
  start: Start,
): Promise<GenerateResult> {
  const job = openJob(c, deps)
  try {
    const result = await start(job.control).result()
    deps.lifecycle.reportSuccess()
    job.end()
    return result
  } catch (error) {
    job.end(error)
    throw stopReason(deps, error)
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
  start: Start,
  frames: (chunks: AsyncIterable<Chunk>) => AsyncIterable<unknown>,
): Promise<Response> {
  const job = openJob(c, deps)
  try {
    const chunks = start(job.control)[Symbol.asyncIterator]()
    const first = chunks.next()
    await settlesWithin(first, deps.admissionMs)
    const events = eventsOf(c, deps, job, frames(resume(first, chunks)))
    return sseResponse(events, {
      keepAliveMs: deps.keepAliveMs,
      onCancel() {
        job.abort()
        job.end()
      },
    })
  } catch (error) {
    job.end(error)
    throw stopReason(deps, error)
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
    deps.lifecycle.reportSuccess()
    job.end()
    yield DONE_FRAME
  } catch (error) {
    job.end(error)
    const { body, ours } = toHttpError(stopReason(deps, error), c.var.dialect, c.var.requestId)
    if (ours) deps.log(`${c.var.requestId} failed in mid-stream: ${describe(error)}`)
    yield dataFrame(body)
  } finally {
    job.end()
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

/** An answer that the drain cut off says so, instead of "cancelled". */
function stopReason(deps: Deps, error: unknown): unknown {
  return deps.lifecycle.stopSignal.aborted
    ? new ApiError('draining', 'The server is shutting down and ended this answer.')
    : error
}

/** A thrown value for the operator's log, with its stack. */
export function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
