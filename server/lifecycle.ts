/**
 * Where the server stands: loading, ready, draining, or broken. Holds the engine once there is one, counts the answers
 * under way, and owns the signal that ends them when a drain runs out of time. Routes and `/health` only read it.
 */
import { setMaxListeners } from 'node:events'
import type { Progress } from '../engine/api.ts'
import { ApiError } from './contract/errors.ts'
import type { ServedEngine } from './contract/served-engine.ts'
import { EngineWatch } from './observe/engine-watch.ts'

export type Phase = 'loading' | 'ready' | 'draining' | 'unhealthy'

export class Lifecycle {
  #engine: ServedEngine | null = null
  #draining = false
  #fault: string | null = null
  #underWay = 0
  #idle: (() => void)[] = []
  readonly #stop = new AbortController()
  readonly #watch: EngineWatch
  readonly startedAt = Date.now()
  /** The last progress the loader reported; `null` before the first. */
  progress: Progress | null = null

  /** @param engine an engine that is ready already, as in tests */
  constructor(engine: ServedEngine | null = null, watch = new EngineWatch()) {
    // Every answer under way listens.
    setMaxListeners(0, this.#stop.signal)
    this.#engine = engine
    this.#watch = watch
  }

  get phase(): Phase {
    if (this.#draining) return 'draining'
    if (this.fault !== null) return 'unhealthy'
    return this.#engine ? 'ready' : 'loading'
  }

  get engine(): ServedEngine | null {
    return this.#engine
  }

  /** Why the server is unhealthy; no details of the machine, for everybody may read it. */
  get fault(): string | null {
    if (this.#fault !== null) return 'The GPU failed; the log has the details.'
    const { stalled } = this.#watch
    if (stalled === null) return null
    return `The engine has not advanced for ${Math.floor(stalled / 1000)} s although there is work.`
  }

  /** Looks whether the engine advances; whoever asks for the state looks first, and a timer does. */
  look(): void {
    if (this.#engine) this.#watch.look(this.#engine.stats)
  }

  /** Answers under way. */
  get underWay(): number {
    return this.#underWay
  }

  /** Fires when a drain has run out of time: every answer under way must end. */
  get stopSignal(): AbortSignal {
    return this.#stop.signal
  }

  serve(engine: ServedEngine): void {
    this.#engine = engine
    this.progress = null
  }

  /** The GPU failed: readiness goes down until an answer succeeds again. */
  reportFault(reason: string): void {
    this.#fault = reason
  }

  reportSuccess(): void {
    this.#fault = null
  }

  /**
   * The engine, for a request.
   * @throws ApiError `loading` while weights load, `draining` after a shutdown began
   */
  admitted(): ServedEngine {
    if (this.#draining) {
      throw new ApiError('draining', 'The server is shutting down; try another one or later.')
    }
    if (!this.#engine) {
      throw new ApiError('loading', 'The model is still loading; GET /health tells how far it is.')
    }
    return this.#engine
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
