/**
 * Works off batch jobs: the oldest first, some prompts at once, each as a request of `batch` priority to the very
 * endpoint that answers it interactively. What is turned away for a while (limits, a full queue, loading) is asked again.
 */

import type { PendingItem } from './job.ts'
import type { JobStore } from './job-store.ts'

/** Asks an endpoint as `item.caller`. Rejects only when `signal` fires. */
export type Ask = (item: PendingItem, signal: AbortSignal) => Promise<Response>

export interface RunnerOptions {
  /** Prompts asked at once. */
  readonly width: number
  /** One line for the operator. */
  readonly log: (line: string) => void
}

/** Statuses that ask for another try. */
const LATER = new Set([429, 499, 503])
/** Shortest and longest time before another try, ms. */
const [SOON, LATE] = [250, 60_000]

export class BatchRunner {
  readonly #store: JobStore
  readonly #ask: Ask
  readonly #options: RunnerOptions
  /** By job and place. */
  readonly #asked = new Map<string, { item: PendingItem; control: AbortController }>()
  readonly #stop = new AbortController()
  #filling: Promise<void> | null = null
  #again = false
  /** Nothing is asked before this time, and nothing of these callers before theirs: somebody said "later". */
  #notBefore = 0
  readonly #limited = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #idle: (() => void)[] = []

  constructor(store: JobStore, ask: Ask, options: RunnerOptions) {
    this.#store = store
    this.#ask = ask
    this.#options = options
  }

  /** There may be something to do: a job came, or the server began. */
  wake(): void {
    if (this.#stop.signal.aborted) return
    this.#again = true
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = null
    })
  }

  /** A job was cancelled: what is asked of it ends. */
  cancel(job: string): void {
    for (const { item, control } of this.#asked.values()) if (item.job === job) control.abort()
  }

  /** Asks no more, ends what is asked, and waits for it: those prompts are asked again after the next start. */
  async stop(): Promise<void> {
    this.#stop.abort()
    clearTimeout(this.#timer)
    for (const { control } of this.#asked.values()) control.abort()
    await this.#filling
    if (this.#asked.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  async #fill(): Promise<void> {
    while (this.#again && !this.#stop.signal.aborted) {
      this.#again = false
      try {
        await this.#askMore()
      } catch (error) {
        this.#options.log(`batch: ${String(error)}; trying again`)
        this.#later(LATE)
      }
    }
    this.#arm()
  }

  async #askMore(): Promise<void> {
    const room = this.#options.width - this.#asked.size
    const now = Date.now()
    if (room < 1 || this.#notBefore > now) return
    for (const [caller, until] of this.#limited) if (until <= now) this.#limited.delete(caller)
    await this.#store.cancelRevoked()
    const items = await this.#store.pending(this.#asked.size + room, [...this.#limited.keys()])
    const fresh = items.filter((item) => !this.#asked.has(keyOf(item))).slice(0, room)
    const begun = new Set(fresh.flatMap(({ isFirst, job }) => (isFirst ? [job] : [])))
    for (const job of begun) await this.#store.begin(job)
    for (const item of fresh) {
      const control = new AbortController()
      this.#asked.set(keyOf(item), { item, control })
      void this.#answer(item, control.signal)
    }
  }

  async #answer(item: PendingItem, signal: AbortSignal): Promise<void> {
    try {
      const response = await this.#ask(item, signal)
      const answer: unknown = await response.json()
      if (!signal.aborted) await this.#take(item, response, answer)
    } catch (error) {
      if (!signal.aborted) {
        this.#options.log(`batch ${item.job}, prompt ${item.place}: ${String(error)}; trying again`)
        this.#later(LATE)
      }
    } finally {
      this.#asked.delete(keyOf(item))
      if (this.#asked.size === 0) for (const resolve of this.#idle.splice(0)) resolve()
      this.wake()
    }
  }

  async #take(item: PendingItem, { status, headers }: Response, answer: unknown): Promise<void> {
    if (LATER.has(status) && headers.get('x-should-retry') !== 'false') {
      const wait = Number(headers.get('retry-after') ?? 1) * 1000
      // Limits are the caller's own: the others go on.
      this.#later(wait, status === 429 ? item.caller.id : null)
      return
    }
    await this.#store.answer(item.job, {
      place: item.place,
      status: status < 300 ? 'completed' : 'failed',
      httpStatus: status,
      requestId: headers.get('x-request-id') ?? '',
      answer,
    })
  }

  /** @param caller whom it concerns; null: everybody */
  #later(milliseconds: number, caller: string | null = null): void {
    const until = Date.now() + Math.min(LATE, Math.max(SOON, milliseconds || SOON))
    if (caller === null) this.#notBefore = Math.max(this.#notBefore, until)
    else this.#limited.set(caller, until)
    this.#arm()
  }

  /** Wakes when the first "later" is over. */
  #arm(): void {
    clearTimeout(this.#timer)
    const now = Date.now()
    const times = [this.#notBefore, ...this.#limited.values()].filter((time) => time > now)
    if (times.length === 0 || this.#stop.signal.aborted) return
    this.#timer = setTimeout(() => this.wake(), Math.min(...times) - now + 1)
  }
}

const keyOf = ({ job, place }: PendingItem): string => `${job} ${place}`
