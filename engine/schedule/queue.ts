/** Requests that wait for a place: by priority, and within one in the order of their first arrival. */
import type { Priority, Request } from './request.ts'

export class WaitingQueue {
  readonly #lines: Record<Priority, Request[]> = { interactive: [], batch: [] }
  #arrivals = 0

  get size(): number {
    return this.#lines.interactive.length + this.#lines.batch.length
  }

  /** Puts a new request last, and one that was sent back where it stood. */
  add(request: Request): void {
    if (request.arrival === 0) request.arrival = ++this.#arrivals
    const line = this.#lines[request.options.priority]
    const behind = line.findIndex((other) => other.arrival > request.arrival)
    line.splice(behind < 0 ? line.length : behind, 0, request)
  }

  remove(request: Request): void {
    const line = this.#lines[request.options.priority]
    const place = line.indexOf(request)
    if (place >= 0) line.splice(place, 1)
  }

  /** Those of a priority, first come first; a copy. */
  of(priority: Priority): Request[] {
    return [...this.#lines[priority]]
  }

  all(): Request[] {
    return [...this.#lines.interactive, ...this.#lines.batch]
  }
}
