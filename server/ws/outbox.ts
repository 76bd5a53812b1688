/** Frames on their way to a client. Whoever sends waits while the client does not read, so that nothing piles up. */
import type { WebSocket } from 'ws'
import type { SocketFrame } from '../contract/ws.ts'

/** From so many bytes on, senders wait; each of them has at most one frame more under way. */
const FULL = 64 * 1024

export class Outbox {
  readonly #socket: WebSocket
  #waiting: (() => void)[] = []

  constructor(socket: WebSocket) {
    this.#socket = socket
    socket.once('close', () => this.#wake())
  }

  /** Resolves when there is room for more, or the socket has closed. */
  async send(frame: SocketFrame): Promise<void> {
    if (!this.#isOpen) return
    // An error means that the socket is closing, which its own event tells.
    this.#socket.send(JSON.stringify(frame), () => {
      if (this.#hasRoom) this.#wake()
    })
    while (this.#isOpen && !this.#hasRoom) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  get #isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN
  }

  get #hasRoom(): boolean {
    return this.#socket.bufferedAmount < FULL
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }
}
