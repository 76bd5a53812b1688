/** Gives up on a connection that brings nothing for a while. */

/** Its signal fires when nothing was fed for `ms`, or when the caller's does. */
export class Watchdog {
  readonly #controller = new AbortController()
  readonly #ms: number
  readonly #caller: AbortSignal | undefined
  readonly #onAbort = () => this.#controller.abort(this.#caller?.reason)
  #timer: NodeJS.Timeout

  constructor(ms: number, caller: AbortSignal | undefined) {
    this.#ms = ms
    this.#caller = caller
    if (caller?.aborted) this.#onAbort()
    caller?.addEventListener('abort', this.#onAbort)
    this.#timer = this.#start()
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  feed(): void {
    clearTimeout(this.#timer)
    this.#timer = this.#start()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#caller?.removeEventListener('abort', this.#onAbort)
    // Lets go of a connection that is still open; does nothing to one that ended.
    this.#controller.abort(new Error('finished'))
  }

  #start(): NodeJS.Timeout {
    return setTimeout(
      () => this.#controller.abort(new Error(`nothing came for ${this.#ms} ms`)),
      this.#ms,
    )
  }
}
