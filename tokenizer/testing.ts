/** Small tokenizers for tests: a byte-level BPE (as GPT-2's family), and one with byte fallback (as Llama 2's). */

import type { JsonObject } from './files.ts'

/** The 256 characters that stand for bytes, in the order of the bytes. */
function byteCharacters(): string[] {
  let extra = 0
  return Array.from({ length: 256 }, (_, byte) => {
    const printable =
      (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255)
    return String.fromCodePoint(printable ? byte : 256 + extra++)
  })
}

const special = (id: number, content: string) => ({
  id,
  content,
  special: true,
  normalized: false,
  single_word: false,
  lstrip: false,
  rstrip: false,
})

/** Control tokens `<|im_start|>` 0 and `<|im_end|>` 1, bytes from 2, a few merges. */
export function byteLevelJson(changes: JsonObject = {}): JsonObject {
  const merges = ['h e', 'l l', 'he ll', 'hell o', 'Ġ hello', 'Ċ Ċ', 'ð Ł', 'ðŁ ĺ']
  const words = merges.map((merge) => merge.replace(' ', ''))
  const tokens = ['<|im_start|>', '<|im_end|>', ...byteCharacters(), ...words]
  return {
    added_tokens: [special(0, '<|im_start|>'), special(1, '<|im_end|>')],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
      ...changes,
    },
  }
}

/** `<unk>` 0, `<s>` 1, `</s>` 2, bytes from 3, then letters; a BOS in front, a space stripped on decoding. */
export function sentencePieceJson(): JsonObject {
  const bytes = Array.from(
    { length: 256 },
    (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
  )
  const merges = ['h e', 'l l', 'he ll', 'hell o', '▁ hello', '▁ ▁']
  const words = merges.map((merge) => merge.replace(' ', ''))
  const tokens = ['<unk>', '<s>', '</s>', ...bytes, '▁', ...'abcdefghijklmnopqrstuvwxyz', ...words]
  return {
    added_tokens: [special(0, '<unk>'), special(1, '<s>'), special(2, '</s>')],
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
    },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'BPE',
      unk_token: '<unk>',
      fuse_unk: true,
      byte_fallback: true,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  }
}
