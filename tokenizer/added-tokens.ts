/**
 * Finds the added tokens of a tokenizer (`<|im_start|>` and the like) in a text: leftmost, longest first, as the
 * reference does. Whether control tokens count, and where they may not (text that a user wrote), is the caller's
 * choice: this is the one place where text can turn into a control token.
 */

import type { Tokenizer as Library } from '@huggingface/tokenizers'

/** One entry of `added_tokens` in tokenizer.json. */
export interface AddedToken {
  id: number
  content: string
  special: boolean
  normalized: boolean
  lstrip: boolean
  rstrip: boolean
  singleWord: boolean
}

/** A stretch of text: an added token, or text for the model to encode. */
export type Section = { token: AddedToken } | { text: string }

export interface SplitOptions {
  /** Let control tokens match; the others always do. */
  special: boolean
  /** A character that marks user text: no control token matches across it or directly after it. */
  guard?: string | undefined
}

interface Node {
  next: Map<number, Node>
  token: AddedToken | undefined
}

/** What the reference takes for a part of a word, and for white space: Unicode's, of which JavaScript's \w and \s differ. */
const WORD = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u
const SPACE = /\p{White_Space}/u
const SPACES_AT_END = /\p{White_Space}+$/u

/** A trie over the tokens' text; `split` takes time linear in the text for ordinary vocabularies. */
export class AddedTokenSplitter {
  readonly #root: Node = { next: new Map(), token: undefined }

  /** `text` gives the form to look for (the normalised one, for tokens matched in normalised text). */
  constructor(tokens: readonly AddedToken[], text: (token: AddedToken) => string) {
    for (const token of tokens) {
      let node = this.#root
      const form = text(token)
      if (form === '') continue
      for (let i = 0; i < form.length; i++) {
        const unit = form.charCodeAt(i)
        let child = node.next.get(unit)
        if (child === undefined) {
          child = { next: new Map(), token: undefined }
          node.next.set(unit, child)
        }
        node = child
      }
      node.token = token
    }
  }

  /** Cuts `text` into added tokens and the text between them; empty stretches are left out. */
  split(text: string, options: SplitOptions): Section[] {
    const sections: Section[] = []
    let start = 0
    for (let i = 0; i < text.length; ) {
      const match = this.#match(text, i, options)
      if (match === undefined) {
        i += 1
        continue
      }
      const { token, end } = match
      // What is no whole word is passed over, and with it whatever else begins inside it.
      if (!token.singleWord || isWholeWord(text, i, end)) {
        let before = text.slice(start, Math.max(start, i))
        if (token.lstrip) before = before.replace(SPACES_AT_END, '')
        if (before !== '') sections.push({ text: before })
        sections.push({ token })
        start = end
        // White space that is taken up may itself be a token, which then stands there as well.
        if (token.rstrip) while (start < text.length && SPACE.test(text[start] ?? '')) start += 1
      }
      i = end
    }
    if (start < text.length) sections.push({ text: text.slice(start) })
    return sections
  }

  #match(text: string, at: number, options: SplitOptions) {
    let node: Node | undefined = this.#root
    let found: { token: AddedToken; end: number } | undefined
    for (let j = at; j < text.length; ) {
      // A guard inside the text ends the walk by itself: no token contains it.
      node = node.next.get(text.charCodeAt(j))
      if (node === undefined) break
      j += 1
      const token = node.token
      if (token === undefined) continue
      if (token.special && !options.special) continue
      if (token.special && options.guard !== undefined && text[at - 1] === options.guard) continue
      found = { token, end: j }
    }
    return found
  }
}

function isWholeWord(text: string, start: number, end: number): boolean {
  return !WORD.test(characterBefore(text, start)) && !WORD.test(characterAt(text, end))
}

const characterAt = (text: string, at: number) => String.fromCodePoint(text.codePointAt(at) ?? 32)

function characterBefore(text: string, at: number): string {
  const isPair = /[\uDC00-\uDFFF]/.test(text[at - 1] ?? '')
  return at === 0 ? ' ' : characterAt(text, isPair && at > 1 ? at - 2 : at - 1)
}

/** The added tokens of a tokenizer.json, as the library read it. */
export function readAddedTokens(library: Library): AddedToken[] {
  return [...library.get_added_tokens_decoder().values()].map((token) => ({
    id: token.id,
    content: token.content,
    special: token.special,
    normalized: token.normalized,
    lstrip: token.lstrip,
    rstrip: token.rstrip,
    singleWord: token.single_word,
  }))
}
