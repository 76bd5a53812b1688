/**
 * Where the server stands: loading, ready, draining, or broken, as its models say. Counts the answers under way, and owns
 * the signal that ends them when a drain runs out of time. Routes and `/health` only read it.
 */
import { setMaxListeners } from 'node:events'
import type { Progress } from '../engine/api.ts'
import { ApiError } from './contract/errors.ts'
import type { Models } from './models/models.ts'

export type Phase = 'loading' | 'ready' | 'draining' | 'unhealthy'

export class Lifecycle {
  readonly models: Models
  #draining = false
  #underWay = 0
  #idle: (() => void)[] = []
  readonly #stop = new AbortController()
  readonly startedAt = Date.now()

  constructor(models: Models) {
    // Every answer under way listens.
    setMaxListeners(0, this.#stop.signal)
    this.models = models
  }

  get phase(): Phase {
    if (this.#draining) return 'draining'
    if (this.fault !== null) return 'unhealthy'
    return this.models.isComplete ? 'ready' : 'loading'
  }

  /** Why the server is unhealthy; no details of the machine, for everybody may read it. */
  get fault(): string | null {
    for (const { fault } of this.models.all) if (fault !== null) return fault
    return null
  }

  /** Of the load under way; null where none tells any. */
  get progress(): Progress | null {
    for (const { progress } of this.models.all) if (progress !== null) return progress
    return null
  }

  /** Looks whether the engines advance; whoever asks for the state looks first, and a timer does. */
  look(): void {
    for (const model of this.models.all) model.look()
  }

  /** Answers under way, and requests that wait for their model. */
  get underWay(): number {
    return this.#underWay
  }

  /** Fires when a drain has run out of time: every answer under way must end. */
  get stopSignal(): AbortSignal {
    return this.#stop.signal
  }

  /** @throws ApiError `draining` after a shutdown began */
  checkOpen(): void {
    if (!this.#draining) return
    throw new ApiError('draining', 'The server is shutting down; try another one or later.')
  }

  /** Counts an answer in; call the result once when it has ended. */
  begin(): () => void {
    this.#underWay++
    let ended = false
    return () => {
      if (ended) return
      ended = true
      this.#underWay--
      if (this.#underWay === 0) for (const wake of this.#idle.splice(0)) wake()
    }
  }

  /**
   * Refuses new work and waits for what is under way, `milliseconds` at most; then ends the rest.
   * @returns true when every answer ended by itself
   */
  async drain(milliseconds: number): Promise<boolean> {
    this.#draining = true
    const inTime = await this.#waitIdle(milliseconds)
    if (!inTime) this.#stop.abort()
    return inTime
  }

  #waitIdle(milliseconds: number): Promise<boolean> {
    if (this.#underWay === 0) return Promise.resolve(true)
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), milliseconds)
      this.#idle.push(() => {
        clearTimeout(timer)
        resolve(true)
      })
    })
  }
}
