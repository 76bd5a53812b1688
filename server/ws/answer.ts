/** One message answered: the same schemas, limits and work as over HTTP, told in frames. */
import type { Caller } from '../auth/caller.ts'
import { ApiError, toHttpError } from '../contract/errors.ts'
import type { GenerateFrame } from '../contract/generate.ts'
import type { MessageId, SocketFrame } from '../contract/ws.ts'
import { describe } from '../routes/answer.ts'
import type { Deps } from '../routes/env.ts'
import { generateFrames } from '../routes/generate.ts'
import { Job, left } from '../routes/job.ts'
import { type Plan, planOf } from './plan.ts'

export type Send = (frame: SocketFrame) => Promise<void>

export interface Ask {
  readonly type: 'generate' | 'chat'
  readonly id: MessageId
  readonly body: Record<string, unknown>
  /** Of the message. */
  readonly bytes: number
  readonly requestId: string
  readonly caller: Caller
  /** Of the upgrade. */
  readonly traceparent?: string | undefined
  /** Fires when the client cancels this answer, or is gone. */
  readonly gone: AbortSignal
}

/** Resolves when the answer is over, well or with an error frame. */
export async function answer(deps: Deps, ask: Ask, send: Send): Promise<void> {
  let job: Job | null = null
  try {
    const { caller, requestId, gone, bytes, traceparent } = ask
    // As for a request: counted before it is looked at.
    deps.gate.enter(caller)
    await deps.gate.written()
    const engine = deps.lifecycle.admitted()
    const plan = planOf(deps, engine, ask.caller, ask.type, ask.body)
    const model = engine.info.id
    const operation = ask.type === 'chat' ? 'chat' : 'text_completion'
    const head = { requestId, caller, endpoint: '/ws', traceparent } as const
    job = new Job(deps, { ...head, operation, model, bytes, gone }, plan.start)
    const last = await tellTokens(job, plan, ask.id, send)
    job.end()
    await send(last)
  } catch (error) {
    job?.end(error)
    await send(errorFrame(deps, job?.reason(error) ?? error, ask.requestId, ask.id))
  } finally {
    job?.end(left())
  }
}

/** Sends the tokens (unless the whole text was asked for), and says how to end. */
async function tellTokens(job: Job, plan: Plan, id: MessageId, send: Send): Promise<SocketFrame> {
  let whole = ''
  let last: GenerateFrame | null = null
  for await (const frame of generateFrames(job.chunks(), plan.lead)) {
    const { token, index } = frame
    last = frame
    if (!plan.streams) whole += token
    else if (token !== '') await send({ type: 'token', ...named(id), data: { token, index } })
  }
  if (!last?.finish_reason || !last.usage) {
    throw new ApiError('internal', 'The engine ended an answer without its last chunk.')
  }
  const { finish_reason, usage } = last
  const text = plan.streams ? {} : { generated_text: whole }
  return { type: 'complete', ...named(id), data: { finish_reason, usage, ...text } }
}

/** An error as a frame; one of our own goes to the log as well. */
export function errorFrame(
  deps: Deps,
  thrown: unknown,
  requestId: string,
  id: MessageId,
): SocketFrame {
  const { body, ours } = toHttpError(thrown, 'contract', requestId)
  if (ours) deps.log(`${requestId} failed on a WebSocket: ${describe(thrown)}`)
  return { type: 'error', ...named(id), data: { ...body.error, error: body.error.message } }
}

const named = (id: MessageId): { id?: MessageId } => (id === undefined ? {} : { id })
