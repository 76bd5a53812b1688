/**
 * A request that waits for its model to be loaded: in the queue, counted as under way, and ended by what ends a job: a
 * client that leaves, a drain that runs out of time, the request's own time. When it comes to nothing, it is told of.
 */
import { EngineError } from '../../engine/errors.ts'
import { ApiError } from '../contract/errors.ts'
import type { Lease, ServedModel } from '../models/served-model.ts'
import type { Answered } from '../observe/answered.ts'
import type { Deps } from './env.ts'
import { type Asked, left, outcomeOf } from './job.ts'

export class ModelWait {
  /** Rejects with what ended the wait. */
  readonly lease: Promise<Lease>
  readonly deps: Deps
  readonly #request: Asked
  readonly #controller = new AbortController()
  readonly #startedAt = Date.now()
  readonly #began = performance.now()
  readonly #countOut: () => void
  #isTold = false

  /**
   * @param name as the request gave it: only the load shows whether that is the model's
   * @throws ApiError `overloaded`
   */
  constructor(deps: Deps, request: Asked, model: ServedModel, name: string | null | undefined) {
    this.deps = deps
    this.#request = request
    const place = request.wanted && deps.queue.take(request.wanted)
    this.#countOut = deps.lifecycle.begin()
    // The job takes its own, in the same turn.
    this.lease = this.#wait(model, name).finally(() => place?.abandon())
    // Whoever awaits it hears of it; a stream may be gone by then.
    this.lease.catch(() => undefined)
  }

  readonly abort = (): void => this.#controller.abort(left())

  /** For what follows: the time that is left, and one who hears whether a job has told of the request. */
  remaining(): Deps {
    const { deps } = this
    const onAnswered: Deps['onAnswered'] = (answered) => {
      this.#isTold = true
      deps.onAnswered(answered)
    }
    const { timeoutMs } = deps
    if (timeoutMs === undefined) return { ...deps, onAnswered }
    const passed = Math.ceil(performance.now() - this.#began)
    return { ...deps, onAnswered, timeoutMs: Math.max(1, timeoutMs - passed) }
  }

  /** It waits no more: a job counts it, or nothing came of it. */
  readonly end = (): void => this.#countOut()

  /** The request came to nothing; later calls change nothing. */
  tell(error: unknown): void {
    this.end()
    if (this.#isTold) return
    this.#isTold = true
    const { wanted: _, gone, ...request } = this.#request
    const { signal } = this.#controller
    const isCut = signal.aborted && !(error instanceof EngineError && error.code === 'timeout')
    const answered: Answered = {
      ...request,
      startedAt: this.#startedAt,
      total: performance.now() - this.#began,
      firstToken: null,
      promptTokens: 0,
      cachedTokens: 0,
      completionTokens: 0,
      ...outcomeOf(error, isCut || gone.aborted),
    }
    this.deps.onAnswered(answered)
  }

  /** What a load threw is the operator's business. */
  #reasonOf(error: unknown): unknown {
    if (error instanceof ApiError || this.#controller.signal.aborted) return error
    return new ApiError('load_failed', 'The model could not be loaded.', null, {}, { cause: error })
  }

  async #wait(model: ServedModel, name: string | null | undefined): Promise<Lease> {
    const { gone } = this.#request
    const { lifecycle, timeoutMs } = this.deps
    const { stopSignal } = lifecycle
    const drain = () =>
      this.#controller.abort(
        new ApiError('draining', 'The server is shutting down and ended this request.'),
      )
    const late = () =>
      this.#controller.abort(
        new EngineError('timeout', `The model was not loaded within ${timeoutMs} ms.`),
      )
    if (gone.aborted) this.abort()
    if (stopSignal.aborted) drain()
    gone.addEventListener('abort', this.abort, { once: true })
    stopSignal.addEventListener('abort', drain, { once: true })
    const timer = timeoutMs === undefined ? undefined : setTimeout(late, timeoutMs)
    try {
      const lease = await lifecycle.models.acquire(model, this.#controller.signal)
      try {
        lifecycle.models.check(model, name)
      } catch (error) {
        lease.release()
        throw error
      }
      return lease
    } catch (error) {
      const reason = this.#reasonOf(error)
      this.tell(reason)
      throw reason
    } finally {
      clearTimeout(timer)
      gone.removeEventListener('abort', this.abort)
      stopSignal.removeEventListener('abort', drain)
    }
  }
}
