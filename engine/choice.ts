/** One choice of an answer under way: ids come in, whole characters go out; stop strings are held back. */
import type { Choice, Chunk, FinishReason, TokenLogprob } from './api.ts'

/** Ids to text as they arrive: a detokenizer, as far as an answer sees it. */
export interface TextStream {
  push(id: number): string
  /** The stop string that was met. */
  readonly stopped: string | null
  finish(): string
}

/** A chunk but for what only the whole answer knows. */
export type Piece = Omit<Chunk, 'usage'>

export class ChoiceStream {
  readonly #index: number
  readonly #detokenizer: TextStream | null
  readonly #wantsLogprobs: boolean
  readonly #ids: number[] = []
  readonly #logprobs: TokenLogprob[] = []
  #text = ''
  /** Tokens that were in a piece. */
  #told = 0
  #finishReason: FinishReason | null = null

  constructor(index: number, detokenizer: TextStream | null, wantsLogprobs: boolean) {
    this.#index = index
    this.#detokenizer = detokenizer
    this.#wantsLogprobs = wantsLogprobs
  }

  get tokens(): number {
    return this.#ids.length
  }

  /** A stop string was met: further ids are not wanted. */
  get isStopped(): boolean {
    return this.#detokenizer?.stopped != null
  }

  get isOver(): boolean {
    return this.#finishReason !== null
  }

  /** Takes an id that was chosen and kept; a piece when there is something to show. */
  push(id: number, logprob: TokenLogprob | null): Piece | null {
    this.#ids.push(id)
    if (logprob) this.#logprobs.push(logprob)
    const text = this.#detokenizer?.push(id) ?? ''
    this.#text += text
    // Without a tokenizer every id is a piece; with one, a piece has text or ends the answer.
    return this.#detokenizer && text === '' ? null : this.#piece(text)
  }

  /** No id follows; the last piece. */
  finish(reason: FinishReason): Piece {
    const rest = this.#detokenizer?.finish() ?? ''
    this.#text += rest
    this.#finishReason = this.isStopped ? 'stop' : reason
    return this.#piece(rest)
  }

  #piece(text: string): Piece {
    const fresh = this.#told
    this.#told = this.#ids.length
    return {
      index: this.#index,
      text,
      ids: this.#ids.slice(fresh),
      logprobs: this.#wantsLogprobs ? this.#logprobs.slice(fresh) : null,
      tokens: this.#ids.length,
      finishReason: this.#finishReason,
    }
  }

  /** The whole choice, once it is over. */
  get whole(): Choice {
    return {
      index: this.#index,
      text: this.#text,
      ids: this.#ids,
      logprobs: this.#wantsLogprobs ? this.#logprobs : null,
      finishReason: this.#finishReason ?? 'stop',
    }
  }
}
