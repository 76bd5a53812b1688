/**
 * From a request to the model it names. Where that is loaded the answer begins at once; else the request waits for its
 * load, counted and bounded like any other: a plain one in silence, a stream with keep-alive comments.
 */
import type { z } from '@hono/zod-openapi'
import { ApiError } from '../contract/errors.ts'
import { MAX_BODY_BYTES, parseJson, readCapped, validate } from '../contract/parse.ts'
import { LastFrame, LaterFrames } from '../later-frames.ts'
import type { Lease } from '../models/served-model.ts'
import { eventsIn, type Frames, sseResponse } from '../sse.ts'
import { errorFrame, settlesInTime } from './answer.ts'
import type { Deps, RequestContext } from './env.ts'
import { askedOf } from './job.ts'
import { ModelWait } from './model-wait.ts'

interface Body {
  model?: string | null | undefined
  stream?: boolean | null | undefined
  n?: number | null | undefined
}

/** Whose load has not said what it is called. */
const UNKNOWN = 'unknown'

/** Answers with a loaded model. Its lease is ours for as long as this takes; a job takes one of its own. */
export type Answer<B> = (lease: Lease, body: B, deps: Deps) => Promise<Response>

/**
 * Validates a body, finds its model, and has it answered.
 * @param answersOf how many choices a body asks for, of all its prompts
 * @throws ApiError in the order a client can mend things: draining, not JSON, bad parameter, unknown model
 */
export async function admit<S extends z.ZodType<Body>>(
  c: RequestContext,
  deps: Deps,
  schema: S,
  answer: Answer<z.output<S>>,
  answersOf = (body: z.output<S>): number => body.n ?? 1,
): Promise<Response> {
  const { lifecycle } = deps
  lifecycle.checkOpen()
  const bytes = await readCapped(c.req.raw, MAX_BODY_BYTES)
  const body = validate(schema, parseJson(bytes, 'The request body'))
  c.set('wanted', { bytes: bytes.byteLength, answers: answersOf(body) })
  const model = await lifecycle.models.find(body.model)
  const ready = model.take()
  if (ready) return within(ready, (lease) => answer(lease, body, deps))
  const asked = askedOf(c, model.id ?? body.model ?? UNKNOWN)
  const wait = new ModelWait(deps, asked, model, body.model)
  const later = (lease: Lease) =>
    within(lease, () => answer(lease, body, wait.remaining())).finally(wait.end)
  return body.stream ? streamLater(c, wait, later) : later(await wait.lease)
}

async function within(lease: Lease, work: (lease: Lease) => Promise<Response>): Promise<Response> {
  try {
    return await work(lease)
  } finally {
    lease.release()
  }
}

/** A stream that begins with comments, for as long as its model loads, and goes on as the answer does. */
async function streamLater(
  c: RequestContext,
  wait: ModelWait,
  later: (lease: Lease) => Promise<Response>,
): Promise<Response> {
  const { deps } = wait
  await settlesInTime(c, deps, wait.lease)
  const answered = async (): Promise<Frames> => {
    try {
      const events = eventsIn(await later(await wait.lease))
      if (!events) throw new ApiError('internal', 'A stream was answered with something else.')
      return events.frames
    } catch (error) {
      wait.tell(error)
      return new LastFrame(errorFrame(c, deps, error))
    }
  }
  return sseResponse(new LaterFrames(answered(), wait.abort), deps.keepAliveMs)
}
