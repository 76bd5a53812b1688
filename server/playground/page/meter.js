/** How fast an answer comes, by the reader's clock. */
import { number } from './dom.js'

/**
 * @typedef {object} Stats
 * @property {number | null} firstToken milliseconds from the request to the first text
 * @property {number | null} rate tokens a second after the first
 * @property {boolean} exact false while pieces of text are counted for tokens
 * @property {number} tokens
 * @property {number | null} prompt
 * @property {number | null} cached
 */

export class Meter {
  #started = performance.now()
  #first = 0
  #last = 0
  #pieces = 0
  /** @type {import('./chat-stream.js').Usage | null} */
  #usage = null

  /** @param {import('./chat-stream.js').Piece} piece */
  add({ text, tokens, usage }) {
    if (usage) this.#usage = usage
    if (text === '' && tokens.length === 0) return
    this.#last = performance.now()
    this.#first ||= this.#last
    this.#pieces += Math.max(1, tokens.length)
  }

  /** @returns {Stats} */
  get stats() {
    const tokens = this.#usage?.completion_tokens ?? this.#pieces
    const seconds = (this.#last - this.#first) / 1000
    return {
      firstToken: this.#first ? this.#first - this.#started : null,
      rate: tokens > 1 && seconds > 0 ? (tokens - 1) / seconds : null,
      exact: this.#usage !== null,
      tokens,
      prompt: this.#usage?.prompt_tokens ?? null,
      cached: this.#usage?.prompt_tokens_details.cached_tokens ?? null,
    }
  }
}

/** In words. @param {Stats} stats @returns {string[]} */
export function describeStats({ firstToken, rate, exact, tokens, prompt, cached }) {
  const about = exact ? '' : '≈ '
  return [
    rate === null ? '' : `${about}${number(rate, 1)} tokens/s`,
    firstToken === null ? '' : `first token ${number(firstToken / 1000, 2)} s`,
    `${about}${number(tokens)} ${tokens === 1 ? 'token' : 'tokens'}`,
    prompt === null ? '' : `prompt ${number(prompt)}, ${number(cached ?? 0)} cached`,
  ].filter((part) => part !== '')
}
