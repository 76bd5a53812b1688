/**
 * Loads models one after the other within a budget of GPU memory, and unloads them: what was used least recently makes
 * room for what is asked for, and what nobody has used for a while goes by itself. Pinned models stay.
 */
import { ApiError } from '../contract/errors.ts'
import type { ModelEvent } from './model-source.ts'
import type { ServedModel } from './served-model.ts'

export interface LoaderOptions {
  /** Bytes of GPU memory for all models together. Default: no bound. */
  readonly budget?: number | undefined
  /** Milliseconds that a model stays without use; negative: for ever. Default 5 minutes. */
  readonly keepAliveMs?: number | undefined
  readonly onEvent?: ((event: ModelEvent) => void) | undefined
}

const KEEP_ALIVE = 5 * 60_000

export class ModelLoader {
  readonly #budget: number
  readonly #keepAliveMs: number
  readonly #tell: (event: ModelEvent) => void
  readonly #close = new AbortController()
  readonly #loaded = new Set<ServedModel>()
  readonly #timers = new Map<ServedModel, NodeJS.Timeout>()
  /** Of all work on memory: one load or unload at a time. */
  #chain: Promise<void> = Promise.resolve()

  constructor({
    budget = Number.POSITIVE_INFINITY,
    keepAliveMs = KEEP_ALIVE,
    onEvent,
  }: LoaderOptions) {
    this.#budget = budget
    this.#keepAliveMs = keepAliveMs
    this.#tell = onEvent ?? (() => undefined)
  }

  /** Sees to it that a model is loaded; who waits for it hears from the model itself. Resolves also when that failed. */
  load(model: ServedModel): Promise<void> {
    const { recentFailure } = model
    if (recentFailure && !model.loading) {
      model.refuse(recentFailure.error)
      return Promise.resolve()
    }
    model.loading ??= this.#inTurn(() => this.#load(model)).finally(() => {
      model.loading = null
    })
    return model.loading
  }

  /** Ends loads under way and refuses others. */
  stop(): void {
    this.#close.abort()
    for (const timer of this.#timers.values()) clearTimeout(timer)
  }

  /** Stops, and closes every engine once nobody uses it. */
  async close(): Promise<void> {
    this.stop()
    await this.#chain
    for (const model of this.#loaded) await model.unload()
    this.#loaded.clear()
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#chain = this.#chain.then(work)
    return this.#chain
  }

  async #load(model: ServedModel): Promise<void> {
    const { signal } = this.#close
    // Whoever asked has left, or another turn has loaded it.
    if (model.state === 'loaded' || !(model.isAwaited || model.source.isPinned)) return
    const began = performance.now()
    try {
      await this.#makeRoom(model, model.bytes, true)
      signal.throwIfAborted()
      const onProgress = (progress: ServedModel['progress']) => {
        model.progress = progress
      }
      const engine = await model.source.load({ onProgress, signal })
      if (signal.aborted) await engine.close()
      signal.throwIfAborted()
      const seconds = Math.round(performance.now() - began) / 1000
      model.loadSeconds += seconds
      model.onUse = (inUse) => this.#arm(model, inUse)
      this.#loaded.add(model)
      model.arrive(engine)
      this.#arm(model, model.isInUse)
      this.#tell({ kind: 'loaded', ...whichIs(model), seconds, bytes: model.bytes })
      // What it takes is known only now.
      await this.#makeRoom(model, 0, false)
    } catch (error) {
      model.fail(signal.aborted ? closing(error) : error)
      if (!signal.aborted) this.#tell({ kind: 'failed', ...whichIs(model), error })
    }
  }

  /**
   * Unloads models, those in use last, until `bytes` more fit.
   * @param isNew whether `model` is still to come: then it is refused where it cannot fit, or else it is told of
   * @throws ApiError `insufficient_memory`
   */
  async #makeRoom(model: ServedModel, bytes: number, isNew: boolean): Promise<void> {
    const budget = this.#budget
    for (;;) {
      const used = [...this.#loaded].reduce((sum, each) => sum + each.bytes, 0)
      if (used + bytes <= budget) return
      const others = [...this.#loaded].filter((each) => each !== model && !each.source.isPinned)
      // After a load only what nobody uses: work that is done is not worth waiting for memory that is taken already.
      const movable = isNew ? others : others.filter(({ isInUse }) => !isInUse)
      const [victim] = movable.sort(
        (a, b) => Number(a.isInUse) - Number(b.isInUse) || a.lastUsed - b.lastUsed,
      )
      if (victim) await this.#unload(victim, 'room')
      else if (isNew) throw tooLarge(model, bytes, used, budget)
      else return this.#tell({ kind: 'too large', id: nameOf(model), bytes: used, budget })
    }
  }

  /** Lets the clock of a model run while nobody uses it. */
  #arm(model: ServedModel, inUse: boolean): void {
    clearTimeout(this.#timers.get(model))
    this.#timers.delete(model)
    const stays = model.source.isPinned || this.#keepAliveMs < 0 || this.#close.signal.aborted
    if (inUse || stays) return
    const timer = setTimeout(() => void this.#expire(model), this.#keepAliveMs)
    timer.unref()
    this.#timers.set(model, timer)
  }

  #expire(model: ServedModel): Promise<void> {
    return this.#inTurn(async () => {
      const isIdle = model.state === 'loaded' && !model.isInUse && this.#timers.has(model)
      if (isIdle) await this.#unload(model, 'idle')
    })
  }

  async #unload(model: ServedModel, why: 'idle' | 'room'): Promise<void> {
    clearTimeout(this.#timers.get(model))
    this.#timers.delete(model)
    model.onUse = undefined
    try {
      await model.unload()
      this.#tell({ kind: 'unloaded', id: nameOf(model), why })
    } catch (error) {
      this.#tell({ kind: 'failed', ...whichIs(model), error })
    } finally {
      this.#loaded.delete(model)
    }
  }
}

const whichIs = (model: ServedModel) => ({
  id: nameOf(model),
  isPinned: model.source.isPinned ?? false,
})

const nameOf = (model: ServedModel): string => model.id ?? 'model'

const closing = (cause: unknown): ApiError =>
  new ApiError('draining', 'The server is shutting down.', null, {}, { cause })

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`

const tooLarge = (model: ServedModel, bytes: number, used: number, budget: number): ApiError =>
  new ApiError(
    'insufficient_memory',
    `The model '${nameOf(model)}' takes about ${gigabytes(bytes)}, and of the ${gigabytes(budget)} that models may take ` +
      `here ${gigabytes(Math.max(0, budget - used))} can be had.`,
    'model',
  )
