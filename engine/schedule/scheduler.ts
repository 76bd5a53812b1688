/**
 * Which step runs next. Pure: no GPU, no clock, nothing asynchronous. Requests are served first come, first served, one
 * at a time; a long prompt goes in chunks, so that an abort is seen between them.
 */
import type { Ending, Request } from './request.ts'

export type Step =
  | {
      readonly kind: 'prefill'
      readonly request: Request
      readonly from: number
      readonly to: number
      /** The chunk ends the prompt: it brings the first id. */
      readonly sample: boolean
      /** The first chunk: the sequence begins. */
      readonly first: boolean
    }
  | { readonly kind: 'decode'; readonly request: Request }

export class Scheduler {
  readonly #chunk: number
  readonly #waiting: Request[] = []
  #running: Request | null = null
  /** Steps of any request that are launched and not committed. */
  #inFlight = 0

  /** @param chunk most prompt ids in a step */
  constructor(chunk: number) {
    this.#chunk = chunk
  }

  get queued(): number {
    return this.#waiting.length
  }

  get running(): number {
    return this.#running ? 1 : 0
  }

  get idle(): boolean {
    return !this.#running && this.#waiting.length === 0 && this.#inFlight === 0
  }

  admit(request: Request): void {
    this.#waiting.push(request)
  }

  /** The next step to launch, or null when there is nothing to do until something is committed or admitted. */
  next(): Step | null {
    // A new sequence takes over the buffers of the last one: not before its last step is in.
    if (!this.#running && this.#inFlight === 0) this.#running = this.#waiting.shift() ?? null
    const request = this.#running
    if (!request) return null
    if (request.prefilled < request.prompt.length) return this.#prefill(request)
    if (request.generated + request.pending >= request.limits.maxTokens) return null
    request.pending++
    this.#inFlight++
    return { kind: 'decode', request }
  }

  #prefill(request: Request): Step {
    const from = request.prefilled
    const to = Math.min(from + this.#chunk, request.prompt.length)
    const sample = to === request.prompt.length
    request.state = sample ? 'decode' : 'prefill'
    request.prefilled = to
    if (sample) request.pending++
    this.#inFlight++
    return { kind: 'prefill', request, from, to, sample, first: from === 0 }
  }

  /**
   * Takes the outcome of a step in the order of launching.
   * Returns the id to keep, or null when the step brought none, ended the answer, or came too late.
   */
  commit(step: Step, id: number | null): number | null {
    const { request } = step
    this.#inFlight--
    if (id === null) return null
    request.pending--
    if (request.state === 'done') return null
    if (request.limits.stopIds.has(id)) {
      this.end(request, 'stop')
      return null
    }
    request.generated++
    if (request.generated >= request.limits.maxTokens) this.end(request, 'length')
    return id
  }

  /** Ends a request wherever it stands; steps under way are dropped when they are committed. */
  end(request: Request, ending: Ending): void {
    if (request.state === 'done') return
    request.state = 'done'
    request.ending = ending
    const place = this.#waiting.indexOf(request)
    if (place >= 0) this.#waiting.splice(place, 1)
    if (this.#running === request) this.#running = null
  }

  /** Ends everything; returns what was open. */
  endAll(): Request[] {
    const open = [...(this.#running ? [this.#running] : []), ...this.#waiting]
    for (const request of open) this.end(request, 'aborted')
    this.#inFlight = 0
    return open
  }
}
