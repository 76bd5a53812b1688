/**
 * The incremental decoder of an answer: ids in, text out, in whole characters and never a part of a stop string.
 * The pieces joined are exactly `tokenizer.decode` of all ids, cut before the first stop string.
 */

import { StopWatcher } from './stop-strings.ts'
import type { TextStream } from './token-text.ts'
import type { Tokenizer } from './tokenizer.ts'

export interface DetokenizerOptions {
  /** Strings that end the text and are not part of it; the one that is complete first counts. */
  stop?: readonly string[]
  /** Leave out control tokens such as `<|im_end|>`. Default true, as in `Tokenizer.decode`. */
  skipSpecial?: boolean
}

/** One answer's decoder. Each `push` costs the same, however long the answer is. */
export class Detokenizer {
  readonly #text: TextStream
  readonly #stops: StopWatcher

  constructor(tokenizer: Pick<Tokenizer, 'stream'>, options: DetokenizerOptions = {}) {
    this.#text = tokenizer.stream({ skipSpecial: options.skipSpecial ?? true })
    this.#stops = new StopWatcher(options.stop ?? [])
  }

  /** The text that `id` makes certain; often empty, since characters and stop strings may still be open. */
  push(id: number): string {
    return this.#stops.stopped === null ? this.#stops.push(this.#text.push(id)) : ''
  }

  /** The stop string that ended the text, or null. After it, `push` and `finish` give nothing. */
  get stopped(): string | null {
    return this.#stops.stopped
  }

  /** The rest of the text when the ids end: what was held back, and U+FFFD for a character that never completed. */
  finish(): string {
    if (this.#stops.stopped !== null) return ''
    return this.#stops.push(this.#text.finish()) + this.#stops.finish()
  }
}
