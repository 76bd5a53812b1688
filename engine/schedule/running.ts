/** Requests that hold a slot: interactive before batch, each in the order of arrival. */
import type { Priority, Request } from './request.ts'

export class RunningList {
  #all: Request[] = []

  get size(): number {
    return this.#all.length
  }

  add(request: Request): void {
    const rank = ({ options, arrival }: Request): number =>
      (options.priority === 'batch' ? 2 ** 40 : 0) + arrival
    const behind = this.#all.findIndex((other) => rank(other) > rank(request))
    this.#all.splice(behind < 0 ? this.#all.length : behind, 0, request)
  }

  remove(request: Request): void {
    this.#all = this.#all.filter((other) => other !== request)
  }

  /** Those of a priority, oldest first; a copy. */
  of(priority: Priority): Request[] {
    return this.#all.filter((request) => request.options.priority === priority)
  }

  /** Who makes room first: the last of the batch, or else the last of all. */
  youngest(): Request | undefined {
    return this.#all.at(-1)
  }

  /** Takes all out. */
  drain(): Request[] {
    const all = this.#all
    this.#all = []
    return all
  }

  all(): Request[] {
    return [...this.#all]
  }
}
