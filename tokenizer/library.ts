/** `@huggingface/tokenizers`, made from the files of a folder, and what it leaves to us. */

import { Tokenizer as Library } from '@huggingface/tokenizers'
import type { AddedToken } from './added-tokens.ts'
import { TokenizerError } from './errors.ts'
import { isObject, type JsonObject, tokenContent } from './files.ts'
import { postProcessorOf } from './post-processor.ts'

/** Throws `TokenizerError('broken')` naming `source`. */
export function buildLibrary(json: JsonObject, config: JsonObject, source: string): Library {
  // The library wants these keys present; files on the hub leave null ones out.
  const defaults = { decoder: null, pre_tokenizer: null, normalizer: null }
  try {
    const post_processor = postProcessorOf(json, config)
    return new Library({ ...defaults, added_tokens: [], ...json, post_processor }, config)
  } catch (cause) {
    throw new TokenizerError(
      'broken',
      `${source} cannot be used (${(cause as Error).message}); fetch the file again, or check that it is a tokenizer.json of the tokenizers library.`,
      { cause },
    )
  }
}

/** Ids of the control tokens. */
export function readSpecialIds(
  added: readonly AddedToken[],
  config: JsonObject,
  ids: ReadonlyMap<string, number>,
): ReadonlySet<number> {
  const special = new Set(added.filter((token) => token.special).map((token) => token.id))
  const more = config.additional_special_tokens
  for (const each of Array.isArray(more) ? more : []) {
    const id = ids.get(tokenContent(each) ?? '')
    if (id !== undefined) special.add(id)
  }
  return special
}

/** A Unigram model's `byte_fallback`, which the library knows of BPE only. */
export function unigramFallsBack({ model }: JsonObject): boolean {
  return isObject(model) && model.type === 'Unigram' && model.byte_fallback === true
}

/** The byte tokens of text that no token is of. */
export function byteTokens(text: string): string[] {
  const hex = (byte: number) => byte.toString(16).toUpperCase().padStart(2, '0')
  return [...new TextEncoder().encode(text)].map((byte) => `<0x${hex(byte)}>`)
}
