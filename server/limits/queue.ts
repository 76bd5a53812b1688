/**
 * How much may wait: requests that are admitted and have no token yet, bounded in number and in prompt tokens. Both are
 * counted before anything is tokenized (a token is a byte at least), so that a flood costs nothing but its refusal,
 * and the refusal says, from what was measured, when there will be room.
 */
import { ApiError } from '../contract/errors.ts'

export interface QueueBounds {
  readonly requests: number
  readonly promptTokens: number
}

const DEFAULT_BOUNDS: QueueBounds = { requests: 512, promptTokens: 1_048_576 }

/** A place among those that wait. */
export interface Place {
  /** The work has begun its wait in earnest, and its prompt is so long. */
  adopt(promptTokens: number): void
  /** It has its first token, or has ended. Later calls change nothing. */
  leave(): void
  /** Leaves, unless it was adopted: a request that came to nothing. */
  abandon(): void
}

/** What has left, for the measure. */
interface Left {
  /** Milliseconds during which somebody waited, up to then. */
  readonly at: number
  readonly tokens: number
}

/** Departures that the measure looks back on. */
const MEASURED = 64
/** Said before anything was measured, and the most that is ever said: by then the measure is out of date. */
const UNKNOWN_SECONDS = 5
const MOST_SECONDS = 600

export class AdmissionQueue {
  readonly #bounds: QueueBounds
  readonly #now: () => number
  readonly #left: Left[] = []
  #requests = 0
  #promptTokens = 0
  /** Time during which somebody waited: an idle hour says nothing of the speed. */
  #busy = 0
  #since = 0

  constructor(bounds: QueueBounds = DEFAULT_BOUNDS, now: () => number = () => performance.now()) {
    this.#bounds = bounds
    this.#now = now
  }

  get requests(): number {
    return this.#requests
  }

  get promptTokens(): number {
    return this.#promptTokens
  }

  /**
   * Takes a place. Where nobody waits there always is one, however long the prompt.
   * @param bytes of the request, as the bound of its tokens
   * @throws ApiError `overloaded`
   */
  take(bytes: number): Place {
    const { requests, promptTokens } = this.#bounds
    const isFull = this.#requests >= requests || this.#promptTokens + bytes > promptTokens
    if (isFull && this.#requests > 0) throw this.#full(bytes)
    if (this.#requests === 0) this.#since = this.#now()
    this.#requests++
    this.#promptTokens += bytes
    let [tokens, adopted, gone] = [bytes, false, false]
    const leave = (served: boolean) => {
      if (gone) return
      gone = true
      this.#leave(tokens, served)
    }
    return {
      adopt: (exact) => {
        adopted = true
        if (gone) return
        this.#promptTokens += exact - tokens
        tokens = exact
      },
      leave: () => leave(true),
      abandon: () => {
        if (!adopted) leave(false)
      },
    }
  }

  #leave(tokens: number, served: boolean): void {
    const busy = this.#busyUntilNow()
    this.#requests--
    this.#promptTokens -= tokens
    if (this.#requests === 0) this.#busy = busy
    if (!served) return
    this.#left.push({ at: busy, tokens })
    if (this.#left.length > MEASURED) this.#left.shift()
  }

  #busyUntilNow(): number {
    return this.#requests === 0 ? this.#busy : this.#busy + this.#now() - this.#since
  }

  #full(bytes: number): ApiError {
    const seconds = this.#secondsUntilRoom(bytes)
    return new ApiError(
      'overloaded',
      `Too much is waiting: ${this.#requests} requests with ${this.#promptTokens} prompt tokens. There should be room in ${seconds} s.`,
      null,
      { 'retry-after': String(seconds) },
    )
  }

  /** What must leave first, over the speed at which it has been leaving. */
  #secondsUntilRoom(bytes: number): number {
    const [first] = this.#left
    const elapsed = this.#busyUntilNow() - (first?.at ?? 0)
    const later = this.#left.slice(1)
    if (later.length === 0 || elapsed <= 0) return UNKNOWN_SECONDS
    const tokens = later.reduce((sum, each) => sum + each.tokens, 0)
    const requestsOver = this.#requests + 1 - this.#bounds.requests
    // A prompt beyond the bound fits once nobody waits.
    const room = Math.max(0, this.#bounds.promptTokens - bytes)
    const tokensOver = this.#promptTokens - room
    const wait = Math.max(
      (requestsOver * elapsed) / later.length,
      tokens > 0 ? (tokensOver * elapsed) / tokens : 0,
    )
    return Math.min(MOST_SECONDS, Math.max(1, Math.ceil(wait / 1000)))
  }
}
