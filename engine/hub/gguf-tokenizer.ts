/**
 * tokenizer.json out of GGUF metadata: the vocabulary, the merges and the kinds of tokens are all there; what the
 * file only names (how text is cut into words) is in a small table here.
 */
import { EngineError } from '../errors.ts'
import type { GgufFile, GgufValue } from '../weights/gguf.ts'

type Json = Record<string, unknown>

const byteLevel = (useRegex: boolean) => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: useRegex,
})

/** `tokenizer.ggml.pre` to the pre-tokenizer of the tokenizers library. */
const PRE_TOKENIZERS: Readonly<Record<string, Json>> = {
  'gpt-2': byteLevel(true),
  default: byteLevel(true),
  smollm: {
    type: 'Sequence',
    pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel(true)],
  },
}

/** ggml's kinds of tokens. */
const CONTROL = 3
const USER_DEFINED = 4

/** The text files of a tokenizer, by name. */
export interface TokenizerFiles {
  'tokenizer.json': Json
  'tokenizer_config.json': Json
  'chat_template.jinja': string | undefined
}

/**
 * The tokenizer that a GGUF file describes.
 *
 * @throws EngineError('model') when it is of a kind that cannot be derived; the message says which are known
 */
export function deriveTokenizer(file: GgufFile): TokenizerFiles {
  const get = (key: string) => file.metadata.get(`tokenizer.ggml.${key}`)
  const pre = PRE_TOKENIZERS[String(get('pre') ?? 'default')]
  if (get('model') !== 'gpt2' || pre === undefined) {
    throw new EngineError(
      'model',
      `${file.path}: its tokenizer is ${JSON.stringify(get('model') ?? null)} / ${JSON.stringify(get('pre') ?? null)}, from which no tokenizer.json can be derived (known: "gpt2" with ${Object.keys(PRE_TOKENIZERS).join(', ')}). Use the safetensors form of the model.`,
    )
  }
  const tokens = strings(file, 'tokens')
  const types = numbers(file, 'token_type', tokens.length)
  const added = tokens.flatMap((content, id) =>
    types[id] === CONTROL || types[id] === USER_DEFINED
      ? [addedToken(id, content, types[id] === CONTROL)]
      : [],
  )
  const template = file.metadata.get('tokenizer.chat_template')
  return {
    'tokenizer.json': {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: added,
      normalizer: null,
      pre_tokenizer: pre,
      post_processor: postProcessor(get('add_bos_token'), tokens, get('bos_token_id')),
      decoder: { ...byteLevel(true), add_prefix_space: true },
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: '',
        end_of_word_suffix: '',
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: false,
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
        merges: strings(file, 'merges').map((merge) => splitMerge(file, merge)),
      },
    },
    'tokenizer_config.json': tokenizerConfig(tokens, get),
    'chat_template.jinja': typeof template === 'string' ? template : undefined,
  }
}

function addedToken(id: number, content: string, special: boolean): Json {
  return {
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special,
  }
}

function tokenizerConfig(
  tokens: readonly string[],
  get: (key: string) => GgufValue | undefined,
): Json {
  const named: Json = {}
  for (const [name, key] of Object.entries({
    bos_token: 'bos_token_id',
    eos_token: 'eos_token_id',
    pad_token: 'padding_token_id',
    unk_token: 'unknown_token_id',
  })) {
    const token = tokens[Number(get(key) ?? -1)]
    if (token !== undefined) named[name] = token
  }
  return { ...named, tokenizer_class: 'PreTrainedTokenizerFast' }
}

function postProcessor(
  addBos: GgufValue | undefined,
  tokens: readonly string[],
  bosId: GgufValue | undefined,
): Json | null {
  const bos = tokens[Number(bosId ?? -1)]
  if (addBos !== true || bos === undefined) return null
  const text = [{ SpecialToken: { id: bos, type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }]
  return {
    type: 'TemplateProcessing',
    single: text,
    pair: [...text, { Sequence: { id: 'B', type_id: 1 } }],
    special_tokens: { [bos]: { id: bos, ids: [Number(bosId)], tokens: [bos] } },
  }
}

/** `a b` as a pair. A part may itself hold no space: byte-level vocabularies write it `Ġ`. */
function splitMerge(file: GgufFile, merge: string): [string, string] {
  const [left, right, ...more] = merge.split(' ')
  if (left && right && more.length === 0) return [left, right]
  throw bad(file, 'merges', `the entry ${JSON.stringify(merge)}, expected two parts`)
}

function strings(file: GgufFile, key: string): string[] {
  const value = file.metadata.get(`tokenizer.ggml.${key}`)
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value
  throw bad(file, key, `${Array.isArray(value) ? 'mixed values' : typeof value}, expected strings`)
}

function numbers(file: GgufFile, key: string, length: number): GgufValue[] {
  const value = file.metadata.get(`tokenizer.ggml.${key}`)
  if (Array.isArray(value) && value.length === length) return value
  throw bad(file, key, `no list of ${length} numbers`)
}

function bad(file: GgufFile, key: string, found: string): EngineError {
  return new EngineError(
    'model',
    `${file.path}: tokenizer.ggml.${key} holds ${found}. The file is damaged: fetch it again.`,
  )
}
