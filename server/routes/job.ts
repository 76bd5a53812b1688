/**
 * One generation for one request: the one place where a disconnect, a drain that runs out of time, the caller's limits
 * and the engine meet. Whatever happens, it ends once, gives back what was set aside, and is told of.
 */
import type { Chunk, FinishReason, GenerateOptions, Generation } from '../../engine/api.ts'
import { EngineError } from '../../engine/errors.ts'
import { Backlog } from '../backlog.ts'
import { ApiError, toHttpError } from '../contract/errors.ts'
import { internalCaller } from '../internal.ts'
import type { Reservation } from '../limits/gate.ts'
import type { Place, Wanted } from '../limits/queue.ts'
import type { Lease } from '../models/served-model.ts'
import type { Answered } from '../observe/answered.ts'
import type { Deps, RequestContext } from './env.ts'

/** What ends a request from outside: the signal is the engine's only way to learn that nobody waits any more. */
export type Control = Pick<GenerateOptions, 'signal' | 'timeout'>

/** Starts the work. */
export type Start = (control: Control) => Generation

/** What must be known of a request for an answer: routes fill it from the context, sockets from their own. */
export interface Asked {
  readonly requestId: string
  readonly caller: Answered['caller']
  readonly endpoint: string
  readonly operation: Answered['operation']
  readonly model: string
  readonly responseId?: string | undefined
  readonly traceparent?: string | undefined
  /** Absent: it does not wait among those that somebody waits for. */
  readonly wanted?: Wanted
  /** Fires when the client is gone. */
  readonly gone: AbortSignal
}

/** And of one whose model is loaded. */
export interface JobRequest extends Asked {
  readonly lease: Lease
}

export const askedOf = (c: RequestContext, model: string): Asked => ({
  requestId: c.var.requestId,
  caller: c.var.caller,
  endpoint: c.req.path,
  operation: c.req.path.endsWith('/chat/completions') ? 'chat' : 'text_completion',
  model,
  responseId: c.var.responseId,
  // A batch has a queue of its own.
  ...(internalCaller(c.env) ? {} : { wanted: c.var.wanted }),
  gone: c.req.raw.signal,
})

export class Job {
  readonly generation: Generation
  readonly #deps: Deps
  readonly #request: JobRequest
  readonly #controller = new AbortController()
  readonly #sources: readonly AbortSignal[]
  readonly #place: Place | undefined
  readonly #reservation: Reservation
  readonly #countOut: () => void
  readonly #lease: Lease
  readonly #startedAt = Date.now()
  readonly #began = performance.now()
  #firstToken: number | null = null
  #completionTokens = 0
  #cachedTokens = 0
  readonly #finishReasons = new Map<number, FinishReason>()
  #ended = false

  /** Throws what `start`, the gate and the queue throw; nothing is left behind then. */
  constructor(deps: Deps, request: JobRequest, start: Start) {
    this.#deps = deps
    this.#request = request
    const { timeoutMs } = deps
    // Before `start`, which tokenizes: a flood must cost nothing but its refusal.
    this.#place = request.wanted && deps.queue.take(request.wanted)
    try {
      this.generation = start({
        signal: this.#controller.signal,
        ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
      })
      const { promptTokens, mostTokens } = this.generation
      this.#reservation = deps.gate.reserve(request.caller, promptTokens + mostTokens)
      this.#place?.adopt(promptTokens)
    } catch (error) {
      this.#place?.abandon()
      throw error
    }
    // By hand and not `AbortSignal.any`: the stop signal outlives every request and must not keep them.
    this.#sources = [request.gone, deps.lifecycle.stopSignal]
    for (const source of this.#sources) {
      if (source.aborted) this.abort()
      else source.addEventListener('abort', this.abort, { once: true })
    }
    this.#countOut = deps.lifecycle.begin()
    this.#lease = request.lease.share()
  }

  readonly abort = (): void => this.#controller.abort()

  /** The generation's chunks, counted on their way to a reader who may be slower. */
  chunks(): Backlog {
    return new Backlog(this.generation, this.#count)
  }

  readonly #count = ({ index, ids, finishReason, usage }: Chunk): void => {
    this.#firstToken ??= performance.now() - this.#began
    this.#place?.arrive(index)
    this.#completionTokens += ids.length
    if (finishReason !== null) this.#finishReasons.set(index, finishReason)
    if (usage) this.#cachedTokens = usage.cachedTokens
  }

  /** It is over: well, or with an error. Later calls change nothing. */
  end(error: unknown = null): void {
    if (this.#ended) return
    this.#ended = true
    this.#place?.leave()
    const { model } = this.#lease
    for (const source of this.#sources) source.removeEventListener('abort', this.abort)
    if (error === null) model.reportSuccess()
    else if (error instanceof EngineError && error.code === 'gpu') model.reportFault(error.message)
    const promptTokens = this.#firstToken === null ? 0 : this.generation.promptTokens
    this.#reservation.settle(promptTokens + this.#completionTokens)
    this.#countOut()
    this.#lease.release()
    const { wanted: _, gone: __, lease: ___, ...request } = this.#request
    this.#deps.onAnswered({
      ...request,
      startedAt: this.#startedAt,
      total: performance.now() - this.#began,
      firstToken: this.#firstToken,
      promptTokens,
      cachedTokens: this.#cachedTokens,
      completionTokens: this.#completionTokens,
      finishReasons: byChoice(this.#finishReasons),
      ...outcomeOf(error, this.#controller.signal.aborted),
    })
  }

  /** An answer that the drain cut off says so, instead of "cancelled". */
  reason(error: unknown): unknown {
    return this.#deps.lifecycle.stopSignal.aborted
      ? new ApiError('draining', 'The server is shutting down and ended this answer.')
      : error
  }
}

/** Choices end in any order. */
const byChoice = (reasons: ReadonlyMap<number, FinishReason>): FinishReason[] =>
  [...reasons].sort(([a], [b]) => a - b).map(([, reason]) => reason)

/** @param aborted whether somebody ended it on purpose */
export function outcomeOf(error: unknown, aborted: boolean): Pick<Answered, 'outcome' | 'code'> {
  if (error === null) return { outcome: 'completed', code: null }
  const { code } = toHttpError(error, 'openai', '').body.error
  return { outcome: aborted ? 'cancelled' : 'failed', code }
}

/** A client that left, as an error. */
export const left = (): EngineError => new EngineError('aborted', 'The client left.')
