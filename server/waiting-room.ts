/** Requests that come while the application is still being read: they wait for it, a moment, and then are the first. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { OnRequested, Requested } from './observe/requested.ts'

type Handle = (incoming: IncomingMessage, outgoing: ServerResponse) => void

export class WaitingRoom {
  #handle: Handle | null = null
  readonly #waiting: Parameters<Handle>[] = []
  #onRequested: OnRequested | null = null
  readonly #refused: Requested[] = []

  readonly handle: Handle = (incoming, outgoing) => {
    if (this.#handle) this.#handle(incoming, outgoing)
    else this.#waiting.push([incoming, outgoing])
  }

  /** What was refused meanwhile is told of then, too. */
  readonly onRequested: OnRequested = (requested) => {
    if (this.#onRequested) this.#onRequested(requested)
    else this.#refused.push(requested)
  }

  open(handle: Handle, onRequested: OnRequested): void {
    this.#handle = handle
    this.#onRequested = onRequested
    for (const requested of this.#refused.splice(0)) onRequested(requested)
    for (const [incoming, outgoing] of this.#waiting.splice(0)) {
      // Who left meanwhile waits for nothing.
      if (!outgoing.destroyed) handle(incoming, outgoing)
    }
  }
}
