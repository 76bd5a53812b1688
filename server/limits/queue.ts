/**
 * How much may wait: answers that are admitted and have no token yet, bounded in number (each choice of each prompt is
 * one) and in prompt tokens. Both are counted before anything is tokenized (a token is a byte at least), so that a
 * flood costs nothing but its refusal, and the refusal says, from what was measured, when there will be room.
 */
import { ApiError } from '../contract/errors.ts'

export interface QueueBounds {
  readonly answers: number
  readonly promptTokens: number
}

const DEFAULT_BOUNDS: QueueBounds = { answers: 512, promptTokens: 1_048_576 }

/** What a request asks for, as far as is known before it is tokenized. */
export interface Wanted {
  /** Of its body, as the bound of its prompts' tokens. */
  readonly bytes: number
  /** Choices of all prompts. */
  readonly answers: number
}

/** A place among those that wait, of one request with all its answers. */
export interface Place {
  /** The work has begun its wait in earnest, and its prompts are so long. */
  adopt(promptTokens: number): void
  /** An answer has a token: it waits no more. Only its first one counts. */
  arrive(index: number): void
  /** None of it waits any more. Later calls change nothing. */
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
  #answers = 0
  #promptTokens = 0
  /** Time during which somebody waited: an idle hour says nothing of the speed. */
  #busy = 0
  #since = 0

  constructor(bounds: QueueBounds = DEFAULT_BOUNDS, now: () => number = () => performance.now()) {
    this.#bounds = bounds
    this.#now = now
  }

  get answers(): number {
    return this.#answers
  }

  get promptTokens(): number {
    return this.#promptTokens
  }

  /**
   * Takes a place. Where nobody waits there always is one, however much it is.
   * @throws ApiError `overloaded`
   */
  take(wanted: Wanted): Place {
    const { answers, promptTokens } = this.#bounds
    const isFull =
      this.#answers + wanted.answers > answers || this.#promptTokens + wanted.bytes > promptTokens
    if (isFull && this.#answers > 0) throw this.#full(wanted)
    if (this.#answers === 0) this.#since = this.#now()
    this.#answers += wanted.answers
    this.#promptTokens += wanted.bytes
    let [waiting, tokens, adopted] = [wanted.answers, wanted.bytes, false]
    const arrived = new Set<number>()
    /** So many of them leave, each with its share of the tokens. */
    const leave = (leaving: number, served: boolean) => {
      for (; leaving > 0 && waiting > 0; leaving--, waiting--) {
        const share = Math.round(tokens / waiting)
        tokens -= share
        this.#leave(share, served)
      }
    }
    return {
      adopt: (exact) => {
        adopted = true
        if (waiting === 0) return
        this.#promptTokens += exact - tokens
        tokens = exact
      },
      arrive: (index) => {
        if (waiting === 0 || arrived.has(index)) return
        arrived.add(index)
        leave(1, true)
      },
      leave: () => leave(waiting, true),
      abandon: () => {
        if (!adopted) leave(waiting, false)
      },
    }
  }

  #leave(tokens: number, served: boolean): void {
    const busy = this.#busyUntilNow()
    this.#answers--
    this.#promptTokens -= tokens
    if (this.#answers === 0) this.#busy = busy
    if (!served) return
    this.#left.push({ at: busy, tokens })
    if (this.#left.length > MEASURED) this.#left.shift()
  }

  #busyUntilNow(): number {
    return this.#answers === 0 ? this.#busy : this.#busy + this.#now() - this.#since
  }

  #full(wanted: Wanted): ApiError {
    const seconds = this.#secondsUntilRoom(wanted)
    return new ApiError(
      'overloaded',
      `Too much is waiting: ${this.#answers} answers with ${this.#promptTokens} prompt tokens. There should be room in ${seconds} s.`,
      null,
      { 'retry-after': String(seconds) },
    )
  }

  /** What must leave first, over the speed at which it has been leaving. */
  #secondsUntilRoom(wanted: Wanted): number {
    const [first] = this.#left
    const elapsed = this.#busyUntilNow() - (first?.at ?? 0)
    const later = this.#left.slice(1)
    if (later.length === 0 || elapsed <= 0) return UNKNOWN_SECONDS
    const tokens = later.reduce((sum, each) => sum + each.tokens, 0)
    // What is beyond a bound fits once nobody waits.
    const answersOver = this.#answers - Math.max(0, this.#bounds.answers - wanted.answers)
    const tokensOver = this.#promptTokens - Math.max(0, this.#bounds.promptTokens - wanted.bytes)
    const wait = Math.max(
      (answersOver * elapsed) / later.length,
      tokens > 0 ? (tokensOver * elapsed) / tokens : 0,
    )
    return Math.min(MOST_SECONDS, Math.max(1, Math.ceil(wait / 1000)))
  }
}
