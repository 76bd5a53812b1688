/** Which tokens may come next: where grammars plug in. */

export interface TokenMask {
  /** The same words whatever was generated: the host need not know each token before the next step. */
  readonly isFixed: boolean
  /**
   * Bit i % 32 of word i / 32 says that token i may come next. At least one must be set.
   * @param generated ids of the answer so far
   */
  allowed(generated: readonly number[]): Uint32Array
}

/** Only the tokens of a list, at every place. */
export class ListMask implements TokenMask {
  readonly isFixed = true
  readonly #words: Uint32Array

  constructor(ids: Iterable<number>, vocabulary: number) {
    this.#words = new Uint32Array(Math.ceil(vocabulary / 32))
    for (const id of ids) this.#words[id >>> 5]! |= 1 << (id & 31)
  }

  allowed(): Uint32Array {
    return this.#words
  }
}
