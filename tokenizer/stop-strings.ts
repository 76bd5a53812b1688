/**
 * Watches a text for stop strings, character by character (one automaton a string, so the cost does not grow with
 * the text). The string that is complete first wins, whatever the pieces the text came in; of two complete at the
 * same place, the longer.
 */

interface Automaton {
  readonly stop: string
  /** failure[k]: length of the longest proper border of the first k+1 units. */
  readonly failure: Int32Array
  state: number
}

function buildAutomaton(stop: string): Automaton {
  const failure = new Int32Array(stop.length)
  for (let i = 1, k = 0; i < stop.length; i++) {
    while (k > 0 && stop[i] !== stop[k]) k = failure[k - 1]!
    if (stop[i] === stop[k]) k += 1
    failure[i] = k
  }
  return { stop, failure, state: 0 }
}

/** Feed text in, get back what cannot be part of a stop string any more. */
export class StopWatcher {
  readonly #automata: readonly Automaton[]
  #held = ''
  #stopped: string | null = null

  /**
   * Empty strings are left out (they would end every answer before it began), and so are strings with half a
   * surrogate pair, which no decoded text contains.
   */
  constructor(stops: readonly string[]) {
    const usable = stops.filter((stop) => stop !== '' && !/\p{Surrogate}/u.test(stop))
    this.#automata = [...new Set(usable)].map(buildAutomaton)
  }

  /** The stop string that ended the text, or null. */
  get stopped(): string | null {
    return this.#stopped
  }

  /** Text that is safe to show; nothing after a stop string was found. */
  push(text: string): string {
    if (this.#stopped !== null) return ''
    if (this.#automata.length === 0) return text
    const whole = this.#held + text
    for (let i = this.#held.length; i < whole.length; i++) {
      const found = this.#step(whole[i]!)
      if (found === undefined) continue
      this.#stopped = found.stop
      this.#held = ''
      return whole.slice(0, i + 1 - found.stop.length)
    }
    const safe = whole.length - Math.max(...this.#automata.map((each) => each.state))
    this.#held = whole.slice(safe)
    return whole.slice(0, safe)
  }

  /** What was held back when the text ends without a stop string. */
  finish(): string {
    const rest = this.#held
    this.#held = ''
    return rest
  }

  #step(unit: string): Automaton | undefined {
    let found: Automaton | undefined
    for (const each of this.#automata) {
      while (each.state > 0 && each.stop[each.state] !== unit) {
        each.state = each.failure[each.state - 1]!
      }
      if (each.stop[each.state] === unit) each.state += 1
      if (each.state !== each.stop.length) continue
      if (found === undefined || each.stop.length > found.stop.length) found = each
    }
    return found
  }
}
