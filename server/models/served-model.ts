/** One model of the server: whether it is loaded, who uses it, who waits for it, and how it fares. */
import type { Progress } from '../../engine/api.ts'
import type { ServedEngine } from '../contract/served-engine.ts'
import { EngineWatch } from '../observe/engine-watch.ts'
import type { ModelSource } from './model-source.ts'

/** A loaded model for somebody's use: it is not unloaded before all leases are given back. */
export interface Lease {
  readonly model: ServedModel
  readonly engine: ServedEngine
  /** Another one on the same engine, for what outlives this one. */
  share(): Lease
  /** Later calls change nothing. */
  release(): void
}

interface Waiter {
  readonly resolve: (lease: Lease) => void
  readonly reject: (error: unknown) => void
}

/** Milliseconds for which a load that failed is not tried again: whoever asks meanwhile hears the same error. */
const FAILURE_LASTS = 5000

export class ServedModel {
  readonly source: ModelSource
  /** Of the load under way; null before it tells any. */
  progress: Progress | null = null
  /** Set by the loader while a load waits for its turn or runs. */
  loading: Promise<void> | null = null
  /** Called when the last lease was given back, and when the first was taken. */
  onUse: ((inUse: boolean) => void) | undefined
  loads = 0
  failures = 0
  /** Of all loads. */
  loadSeconds = 0
  /** Epoch milliseconds. */
  lastUsed = 0
  loadedAt = 0
  readonly #watch: EngineWatch
  #engine: ServedEngine | null = null
  #isLeaving = false
  #id: string | null
  #measured: number | null = null
  #leases = 0
  #fault: string | null = null
  #failure: { error: unknown; until: number } | null = null
  readonly #waiters = new Set<Waiter>()
  #idle: (() => void)[] = []

  constructor(source: ModelSource, watch = new EngineWatch()) {
    this.source = source
    this.#watch = watch
    this.#id = source.id ?? null
  }

  /** Null: only its load will tell. */
  get id(): string | null {
    return this.#id
  }

  /** For facts; work takes a lease. */
  get engine(): ServedEngine | null {
    return this.#engine
  }

  get state(): 'loaded' | 'loading' | 'unloaded' {
    if (this.#engine && !this.#isLeaving) return 'loaded'
    return this.loading ? 'loading' : 'unloaded'
  }

  get isInUse(): boolean {
    return this.#leases > 0
  }

  get isAwaited(): boolean {
    return this.#waiters.size > 0
  }

  /** Bytes of GPU memory: what it takes, took, or should take by its files. */
  get bytes(): number {
    return this.#engine?.stats.memory.total ?? this.#measured ?? this.source.bytes ?? 0
  }

  /** Whether a name is its id, the id's last part, or an alias; while its id is not known, any name may be. */
  answersTo(name: string): boolean {
    const id = this.#id
    if (id === null) return true
    const { id: listed = id, aliases = [] } = this.source
    const ids = [id, lastSegment(id), listed, lastSegment(listed)]
    return ids.includes(name) || aliases.includes(name)
  }

  /** Why it is unhealthy; no details of the machine, for everybody may read it. */
  get fault(): string | null {
    if (this.#fault !== null) return 'The GPU failed; the log has the details.'
    const { stalled } = this.#watch
    if (stalled === null) return null
    return `The engine has not advanced for ${Math.floor(stalled / 1000)} s although there is work.`
  }

  /** Looks whether its engine advances. */
  look(): void {
    if (this.#engine) this.#watch.look(this.#engine.stats)
  }

  /** The GPU failed: the server is unhealthy until an answer of this model succeeds again. */
  reportFault(reason: string): void {
    this.#fault = reason
  }

  reportSuccess(): void {
    this.#fault = null
  }

  /** Null: it is not loaded, or about to go. */
  take(): Lease | null {
    return this.#engine && !this.#isLeaving ? this.#lease(this.#engine) : null
  }

  /** A lease once it is loaded; rejects with the load's error, or with the signal's reason. */
  wait(signal: AbortSignal): Promise<Lease> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiters.delete(waiter)
        reject(signal.reason)
      }
      const waiter: Waiter = {
        resolve(lease) {
          signal.removeEventListener('abort', leave)
          resolve(lease)
        },
        reject(error) {
          signal.removeEventListener('abort', leave)
          reject(error)
        },
      }
      if (signal.aborted) return reject(signal.reason)
      signal.addEventListener('abort', leave, { once: true })
      this.#waiters.add(waiter)
    })
  }

  /** It is loaded: who waits gets a lease in this very moment, so that nothing can unload it in between. */
  arrive(engine: ServedEngine): void {
    this.#engine = engine
    this.#isLeaving = false
    this.#id = engine.info.id
    this.#failure = null
    this.progress = null
    this.loadedAt = Date.now()
    this.lastUsed = this.loadedAt
    this.loads++
    for (const waiter of this.#dismiss()) {
      const lease = this.take()
      if (lease) waiter.resolve(lease)
    }
  }

  /** It could not be loaded. */
  fail(error: unknown): void {
    this.progress = null
    this.failures++
    this.#failure = { error, until: Date.now() + FAILURE_LASTS }
    this.refuse(error)
  }

  /** Who waits need not wait any more. */
  refuse(error: unknown): void {
    for (const waiter of this.#dismiss()) waiter.reject(error)
  }

  /** The error of a load that failed a moment ago. */
  get recentFailure(): { readonly error: unknown } | null {
    return this.#failure && Date.now() < this.#failure.until ? this.#failure : null
  }

  /** No new leases; frees its memory once those there are were given back. */
  async unload(): Promise<void> {
    const engine = this.#engine
    if (!engine) return
    this.#isLeaving = true
    if (this.#leases > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
    this.#measured = engine.stats.memory.total
    try {
      await engine.close()
    } finally {
      this.#engine = null
      this.#isLeaving = false
      this.#fault = null
    }
  }

  #lease(engine: ServedEngine): Lease {
    this.#leases++
    if (this.#leases === 1) this.onUse?.(true)
    let isOver = false
    const release = () => {
      if (isOver) return
      isOver = true
      this.#leases--
      this.lastUsed = Date.now()
      if (this.#leases > 0) return
      for (const wake of this.#idle.splice(0)) wake()
      this.onUse?.(false)
    }
    return { model: this, engine, share: () => this.#lease(engine), release }
  }

  #dismiss(): Waiter[] {
    const waiters = [...this.#waiters]
    this.#waiters.clear()
    return waiters
  }
}

/** `owner/name` may be asked for as `name`. */
const lastSegment = (id: string): string => id.slice(id.lastIndexOf('/') + 1)
