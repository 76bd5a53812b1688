/** One message answered: the same schemas, limits and work as over HTTP, told in frames. */
import type { Caller } from '../auth/caller.ts'
import { ApiError, toHttpError } from '../contract/errors.ts'
import type { GenerateFrame } from '../contract/generate.ts'
import type { MessageId, SocketFrame } from '../contract/ws.ts'
import { describe } from '../routes/answer.ts'
import type { Deps } from '../routes/env.ts'
import { generateFrames } from '../routes/generate.ts'
import { Job, type JobRequest, left } from '../routes/job.ts'
import { ModelWait } from '../routes/model-wait.ts'
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
  let loaded: Loaded | null = null
  try {
    const { caller } = ask
    // As for a request: counted before it is looked at.
    deps.gate.enter(caller)
    await deps.gate.written()
    deps.lifecycle.checkOpen()
    const plan = planOf(caller, ask.type, ask.body)
    loaded = await loadedFor(deps, ask, plan)
    job = new Job(loaded.deps, loaded.request, plan.start(loaded.request.lease.engine))
    const last = await tellTokens(job, plan, ask.id, send)
    job.end()
    await send(last)
  } catch (error) {
    job?.end(error)
    await send(errorFrame(deps, job?.reason(error) ?? error, ask.requestId, ask.id))
  } finally {
    job?.end(left())
    loaded?.end()
  }
}

interface Loaded {
  readonly deps: Deps
  readonly request: JobRequest
  readonly end: () => void
}

/** The model that a message names, once it is loaded, until `end` gives it back. */
async function loadedFor(
  deps: Deps,
  { type, requestId, caller, bytes, gone, traceparent }: Ask,
  { model: name }: Plan,
): Promise<Loaded> {
  const { models } = deps.lifecycle
  const model = await models.find(name)
  const operation = type === 'chat' ? 'chat' : 'text_completion'
  const head = { requestId, caller, endpoint: '/ws', operation, traceparent } as const
  const asked = { ...head, model: model.id ?? name ?? '', wanted: { bytes, answers: 1 }, gone }
  const ready = model.take()
  if (ready) return { deps, request: { ...asked, lease: ready }, end: ready.release }
  const wait = new ModelWait(deps, asked, model, name)
  const lease = await wait.lease
  const request = { ...asked, model: lease.engine.info.id, lease }
  const end = () => {
    lease.release()
    wait.end()
  }
  return { deps: wait.remaining(), request, end }
}

/** Sends the tokens (unless the whole text was asked for), and says how to end. */
async function tellTokens(job: Job, plan: Plan, id: MessageId, send: Send): Promise<SocketFrame> {
  let whole = ''
  let last: GenerateFrame | null = null
  const framesOf = generateFrames(plan.lead)
  for await (const chunk of job.chunks()) {
    for (const frame of framesOf(chunk)) {
      const { token, index } = frame
      last = frame
      if (!plan.streams) whole += token
      else if (token !== '') await send({ type: 'token', ...named(id), data: { token, index } })
    }
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
