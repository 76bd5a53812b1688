/** Requests to a server: with its key, again where it is busy, and given up where it says nothing for too long. */
import { setTimeout as sleep } from 'node:timers/promises'
import { createParser } from 'eventsource-parser'
import { EngineError } from '../../engine/errors.ts'
import { type Asked, refusalOf, ServerError, unreachable } from './server-error.ts'

export interface ServerOptions {
  /** Without the paths of its API. */
  readonly url: string
  readonly apiKey?: string | undefined
  /** Longest silence, milliseconds. */
  readonly timeoutMs: number
  readonly maxRetries: number
  readonly retryDelayMs: number
  /** Hears why it takes longer. */
  readonly tell: (line: string) => void
}

/** A limit of requests a minute is over within it; who has to wait longer is told so instead. */
const LONGEST_PAUSE_MS = 60_000
const BUSY = new Set([408, 429, 502, 503, 504])
/** A connection that was cut before an answer began. */
const CUT = new Set(['ECONNRESET', 'UND_ERR_SOCKET'])

export class Server {
  readonly #options: ServerOptions

  constructor(options: ServerOptions) {
    this.#options = options
  }

  get url(): string {
    return this.#options.url
  }

  /** What a sentence about a request needs to know. */
  asked(model: string | null): Asked {
    return { url: this.url, hasKey: this.#options.apiKey !== undefined, model }
  }

  /**
   * A document of the server's.
   * @throws ServerError; EngineError('aborted')
   */
  async get(path: string, signal: AbortSignal): Promise<unknown> {
    const patience = new Patience(this.#options.timeoutMs, signal)
    try {
      const response = await this.#send(path, {}, null, patience)
      return await response.json()
    } catch (error) {
      throw this.#said(error, null, patience, false)
    } finally {
      patience.end()
    }
  }

  /**
   * The data of the events of an answer.
   * @throws ServerError; EngineError('aborted')
   */
  async *stream(
    path: string,
    body: { model?: string },
    signal: AbortSignal | undefined,
  ): AsyncGenerator<string, void> {
    const model = body.model ?? null
    const patience = new Patience(this.#options.timeoutMs, signal)
    let isUnderWay = false
    try {
      const init = {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }
      const response = await this.#send(path, init, model, patience)
      isUnderWay = true
      const events: string[] = []
      const parser = createParser({ onEvent: ({ data }) => events.push(data) })
      const decoder = new TextDecoder()
      for await (const bytes of response.body ?? []) {
        patience.renew()
        parser.feed(decoder.decode(bytes, { stream: true }))
        yield* events.splice(0)
      }
    } catch (error) {
      throw this.#said(error, model, patience, isUnderWay)
    } finally {
      patience.end()
    }
  }

  /** Tries until there is a success, or no sense in going on. */
  async #send(
    path: string,
    init: RequestInit & { headers?: Record<string, string> },
    model: string | null,
    patience: Patience,
  ): Promise<Response> {
    const { url, apiKey, maxRetries, retryDelayMs, tell } = this.#options
    const headers = { ...init.headers, ...(apiKey ? { authorization: `Bearer ${apiKey}` } : {}) }
    for (let tries = 0; ; tries++) {
      patience.renew()
      const refusal = await this.#try(`${url}${path}`, { ...init, headers }, model, patience)
      if (refusal instanceof Response) return refusal
      const { retryAfter } = refusal
      const backOff = retryDelayMs * 2 ** tries * (0.75 + Math.random() / 2)
      const pause = retryAfter === null ? backOff : retryAfter * 1000
      if (!refusal.mayRetry || tries >= maxRetries || pause > LONGEST_PAUSE_MS) throw refusal.last
      const seconds = (pause / 1000).toFixed(pause < 10_000 ? 1 : 0)
      tell(`${refusal.message} Asking again in ${seconds} s (${tries + 1} of ${maxRetries}).`)
      patience.pause()
      await sleep(pause, undefined, { signal: patience.signal })
    }
  }

  async #try(
    url: string,
    init: RequestInit,
    model: string | null,
    { signal }: Patience,
  ): Promise<Response | ServerError> {
    const asked = this.asked(model)
    try {
      const response = await fetch(url, { ...init, signal, redirect: 'error' })
      if (response.ok) return response
      const mayRetry =
        BUSY.has(response.status) && response.headers.get('x-should-retry') !== 'false'
      return await refusalOf(response, asked, mayRetry)
    } catch (error) {
      if (signal.aborted) throw error
      const { message, code, cause } = unreachable(error, asked, false)
      return new ServerError(message, { code, cause, mayRetry: CUT.has(code ?? '') })
    }
  }

  /** What to throw for what was thrown. */
  #said(error: unknown, model: string | null, patience: Patience, isUnderWay: boolean): unknown {
    if (patience.isOver) {
      const { url, timeoutMs } = this.#options
      return new ServerError(
        `${url} said nothing for ${timeoutMs / 1000} s; --timeout, or "illuminator config set timeout <seconds>", allows more.`,
        { code: 'timeout', cause: error },
      )
    }
    if (patience.signal.aborted) {
      return new EngineError('aborted', 'The request was cancelled.', { cause: error })
    }
    return error instanceof ServerError ? error : unreachable(error, this.asked(model), isUnderWay)
  }
}

/** A signal that fires when the caller's does, and when nothing was heard for too long. */
class Patience {
  readonly signal: AbortSignal
  readonly #controller = new AbortController()
  readonly #milliseconds: number
  #timer: NodeJS.Timeout | undefined

  constructor(milliseconds: number, signal: AbortSignal | undefined) {
    this.#milliseconds = milliseconds
    this.signal = AbortSignal.any([this.#controller.signal, ...(signal ? [signal] : [])])
  }

  /** It ran out, and nobody else had enough. */
  get isOver(): boolean {
    return this.#controller.signal.aborted
  }

  renew(): void {
    this.pause()
    this.#timer = setTimeout(() => this.#controller.abort(), this.#milliseconds)
  }

  pause(): void {
    clearTimeout(this.#timer)
  }

  /** Lets go of the connection too, if it is still there. */
  end(): void {
    this.pause()
    this.#controller.abort()
  }
}
