/**
 * tokenizer.json out of GGUF metadata: the vocabulary, the merges (or scores) and the kinds of tokens are all there; how
 * text is cut into words the file only names.
 */
import { show } from '../weights/json.ts'
import { type Metadata, refuse } from './metadata.ts'
import {
  byteLevel,
  likelyPreTokenizer,
  PRE_TOKENIZERS,
  type PreTokenizer,
} from './pre-tokenizers.ts'
import { sentencePiece } from './sentence-piece.ts'
import { TOKEN_TYPE } from './special-ids.ts'

type Json = Record<string, unknown>

/** The text files of a tokenizer, by name. */
export interface TokenizerFiles {
  'tokenizer.json': Json
  'tokenizer_config.json': Json
  'chat_template.jinja': string | undefined
}

const INSTEAD =
  'Give the folder of the original model’s tokenizer.json (--tokenizer), or use the safetensors form of the model.'
const DAMAGED = 'The file is damaged: fetch it again.'

interface Vocabulary {
  readonly tokens: readonly string[]
  readonly types: readonly number[]
}

/**
 * The tokenizer that a GGUF file describes, and what its user should know about it.
 *
 * @throws EngineError('model') when it is of a kind that cannot be derived; the message says what to do
 */
export function deriveTokenizer(meta: Metadata): { files: TokenizerFiles; warnings: string[] } {
  const warnings: string[] = []
  const vocabulary = readVocabulary(meta)
  const kind = meta.text('tokenizer.ggml.model')
  if (kind !== 'gpt2' && kind !== 'llama') {
    throw refuse(
      meta.source,
      `its tokenizer is ${show(kind)}, from which no tokenizer.json can be derived (known: "gpt2", "llama"). ${INSTEAD}`,
    )
  }
  const { addBos, ...model } =
    kind === 'gpt2' ? bytePairs(meta, vocabulary, warnings) : pieces(meta, vocabulary)
  const template = meta.text('tokenizer.chat_template')
  if (template === undefined) {
    warnings.push(
      'There is no chat template in the file: the model continues texts, and chats in the form that the engine gives models without one.',
    )
  }
  const files: TokenizerFiles = {
    'tokenizer.json': {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: addedTokens(meta, vocabulary),
      normalizer: null,
      pre_tokenizer: null,
      post_processor: postProcessor(meta, vocabulary, addBos),
      ...model,
    },
    'tokenizer_config.json': tokenizerConfig(meta, vocabulary),
    'chat_template.jinja': template,
  }
  return { files, warnings }
}

function readVocabulary(meta: Metadata): Vocabulary {
  const tokens = meta.strings('tokenizer.ggml.tokens')
  if (tokens === undefined || tokens.length === 0) {
    throw refuse(meta.source, `tokenizer.ggml.tokens is missing: it has no tokenizer. ${INSTEAD}`)
  }
  const types = meta.numbers('tokenizer.ggml.token_type') ?? tokens.map(() => 1)
  if (types.length === tokens.length) return { tokens, types }
  throw refuse(
    meta.source,
    `tokenizer.ggml.token_type holds ${types.length} numbers, expected ${tokens.length}. ${DAMAGED}`,
  )
}

/** Ids by token. Of two tokens of one text the first counts. */
function idsOf(tokens: readonly string[]): Record<string, number> {
  const ids = new Map<string, number>()
  for (const [id, token] of tokens.entries()) if (!ids.has(token)) ids.set(token, id)
  return Object.fromEntries(ids)
}

function bytePairs(meta: Metadata, { tokens }: Vocabulary, warnings: string[]) {
  const {
    normalizer = null,
    pre,
    ignoreMerges = false,
    addBos = false,
  } = preTokenizer(meta, tokens, warnings)
  const merges = meta.strings('tokenizer.ggml.merges')
  if (merges === undefined) {
    throw refuse(meta.source, `tokenizer.ggml.merges is missing. ${INSTEAD}`)
  }
  return {
    addBos,
    normalizer,
    pre_tokenizer: pre,
    decoder: { ...byteLevel(true), add_prefix_space: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: ignoreMerges,
      vocab: idsOf(tokens),
      merges: merges.map((merge) => splitMerge(meta, merge)),
    },
  }
}

function preTokenizer(meta: Metadata, tokens: readonly string[], warnings: string[]): PreTokenizer {
  const stated = meta.text('tokenizer.ggml.pre') ?? 'default'
  const name = stated === 'default' ? likelyPreTokenizer(meta.architecture, tokens) : stated
  const found = PRE_TOKENIZERS.get(name)
  if (found === undefined) {
    throw refuse(
      meta.source,
      `its pre-tokenizer is ${show(name)}, which is not known (known: ${[...PRE_TOKENIZERS.keys()].join(', ')}). ${INSTEAD}`,
    )
  }
  if (name !== stated) {
    warnings.push(
      `The file does not say how text is cut into words; it is cut as ${show(name)} does. Compare with the original tokenizer, or give it (--tokenizer).`,
    )
  }
  return found
}

function pieces(meta: Metadata, { tokens, types }: Vocabulary) {
  const scores = meta.numbers('tokenizer.ggml.scores')
  if (scores?.length !== tokens.length) {
    throw refuse(
      meta.source,
      `tokenizer.ggml.scores holds ${scores?.length ?? 'no'} numbers, expected ${tokens.length}. ${DAMAGED}`,
    )
  }
  const unknown =
    meta.number('tokenizer.ggml.unknown_token_id') ?? types.indexOf(TOKEN_TYPE.unknown)
  const addsSpace = meta.flag('tokenizer.ggml.add_space_prefix') ?? true
  const of = { tokens, scores, addsSpace, unknown: tokens[unknown] ?? null }
  return { addBos: true, ...sentencePiece(of, idsOf(tokens)) }
}

/** Of Phi-3, control tokens after which spaces are dropped: no GGUF says so. */
const PHI3_STRICT = new Set(['<unk>', '<s>', '<|endoftext|>'])

function addedTokens(meta: Metadata, { tokens, types }: Vocabulary): Json[] {
  const isPhi3 = meta.architecture === 'phi3' && meta.text('tokenizer.ggml.model') === 'llama'
  const { control, userDefined, unknown } = TOKEN_TYPE
  const known = new Set<string>()
  return tokens.flatMap((content, id) => {
    const type = types[id]
    const isSpecial = type === control || type === unknown
    if ((!isSpecial && type !== userDefined) || known.has(content)) return []
    known.add(content)
    return [
      {
        id,
        content,
        single_word: false,
        lstrip: false,
        rstrip: isPhi3 && isSpecial && !PHI3_STRICT.has(content),
        normalized: false,
        special: isSpecial,
      },
    ]
  })
}

function tokenizerConfig(meta: Metadata, { tokens }: Vocabulary): Json {
  const named: Json = {}
  for (const [name, key] of Object.entries({
    bos_token: 'bos_token_id',
    eos_token: 'eos_token_id',
    pad_token: 'padding_token_id',
    unk_token: 'unknown_token_id',
  })) {
    const token = tokens[meta.number(`tokenizer.ggml.${key}`) ?? -1]
    if (token !== undefined) named[name] = token
  }
  return { ...named, tokenizer_class: 'PreTrainedTokenizerFast' }
}

/** What is put around a text. */
function postProcessor(meta: Metadata, { tokens }: Vocabulary, addBos: boolean): Json | null {
  const end = (isThere: boolean, key: string) => {
    const id = meta.number(`tokenizer.ggml.${key}`)
    const token = tokens[id ?? -1]
    return isThere && id !== undefined && token !== undefined ? [{ id, token }] : []
  }
  const before = end(meta.flag('tokenizer.ggml.add_bos_token') ?? addBos, 'bos_token_id')
  const after = end(meta.flag('tokenizer.ggml.add_eos_token') ?? false, 'eos_token_id')
  if (before.length + after.length === 0) return null
  const special = ({ token }: { token: string }) => ({ SpecialToken: { id: token, type_id: 0 } })
  const around = (text: Json) => [...before.map(special), text, ...after.map(special)]
  const single = around({ Sequence: { id: 'A', type_id: 0 } })
  return {
    type: 'TemplateProcessing',
    single,
    pair: [...single, { Sequence: { id: 'B', type_id: 1 } }],
    special_tokens: Object.fromEntries(
      [...before, ...after].map(({ id, token }) => [
        token,
        { id: token, ids: [id], tokens: [token] },
      ]),
    ),
  }
}

/** `a b` as a pair. A part may itself hold no space: byte-level vocabularies write it `Ġ`. */
function splitMerge(meta: Metadata, merge: string): [string, string] {
  const [left, right, ...more] = merge.split(' ')
  if (left && right && more.length === 0) return [left, right]
  throw refuse(
    meta.source,
    `tokenizer.ggml.merges holds the entry ${show(merge)}, expected two parts. ${DAMAGED}`,
  )
}
