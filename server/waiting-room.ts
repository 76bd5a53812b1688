/** Requests that come while the application is still being read: they wait for it, a moment, and then are the first. */
import type { IncomingMessage, ServerResponse } from 'node:http'

type Handle = (incoming: IncomingMessage, outgoing: ServerResponse) => void

export class WaitingRoom {
  #handle: Handle | null = null
  readonly #waiting: Parameters<Handle>[] = []

  readonly handle: Handle = (incoming, outgoing) => {
    if (this.#handle) this.#handle(incoming, outgoing)
    else this.#waiting.push([incoming, outgoing])
  }

  open(handle: Handle): void {
    this.#handle = handle
    for (const [incoming, outgoing] of this.#waiting.splice(0)) {
      // Who left meanwhile waits for nothing.
      if (!outgoing.destroyed) handle(incoming, outgoing)
    }
  }
}
