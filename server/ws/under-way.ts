/** The answers under way on one socket: how many, by which names, and how they are ended from outside. */
import { ApiError } from '../contract/errors.ts'
import type { MessageId } from '../contract/ws.ts'

interface Answer {
  readonly id: MessageId
  readonly controller: AbortController
}

export class UnderWay {
  readonly #most: number
  readonly #answers = new Set<Answer>()

  constructor(most: number) {
    this.#most = most
  }

  get size(): number {
    return this.#answers.size
  }

  /**
   * Counts an answer in.
   * @returns the signal that ends it, and what to call when it has ended
   * @throws ApiError when there are too many, or one of that id
   */
  begin(id: MessageId): { gone: AbortSignal; end: () => void } {
    if (this.size >= this.#most) {
      throw new ApiError(
        'overloaded',
        `There are ${this.#most} answers under way on this socket already; wait for one, or cancel it.`,
      )
    }
    if (id !== undefined && this.#named(id).length > 0) {
      const message = `The parameter 'id' is that of an answer still under way.`
      throw new ApiError('bad_request', message, 'id')
    }
    const answer = { id, controller: new AbortController() }
    this.#answers.add(answer)
    return { gone: answer.controller.signal, end: () => this.#answers.delete(answer) }
  }

  /**
   * Ends the answer of an id; without one, the answers that have none.
   * @throws ApiError when there is none
   */
  cancel(id: MessageId): void {
    const found = this.#named(id)
    if (found.length === 0) {
      const which = id === undefined ? 'without an id' : `with the id '${id}'`
      throw new ApiError('not_found', `There is no answer ${which} under way on this socket.`, 'id')
    }
    for (const { controller } of found) controller.abort()
  }

  abortAll(): void {
    for (const { controller } of this.#answers) controller.abort()
  }

  #named(id: MessageId): Answer[] {
    return [...this.#answers].filter((one) => one.id === id)
  }
}
