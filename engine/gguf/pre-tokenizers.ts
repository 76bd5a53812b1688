/**
 * How text is cut into words before bytes are paired, by the name that a GGUF gives it (`tokenizer.ggml.pre`), as a
 * `pre_tokenizer` of tokenizer.json. (Source: llama-vocab.cpp of llama.cpp, and the tokenizer.json of the models.)
 */
type Json = Readonly<Record<string, unknown>>

export interface PreTokenizer {
  readonly pre: Json
  readonly normalizer?: Json
  /** Words that are tokens are taken whole. */
  readonly ignoreMerges?: boolean
  /** Whether texts begin with bos where the file does not say. */
  readonly addBos?: boolean
}

export const byteLevel = (useRegex: boolean): Json => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: useRegex,
})

const sequence = (...pretokenizers: readonly Json[]): Json => ({ type: 'Sequence', pretokenizers })
const split = (pattern: string): Json => ({
  type: 'Split',
  pattern: { Regex: pattern },
  behavior: 'Isolated',
  invert: false,
})
const cut = (...patterns: readonly string[]): Json =>
  sequence(...patterns.map(split), byteLevel(false))

// (?i:'s|…) is not read by every engine of regular expressions.
const ENDINGS = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
const SPACES = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+'
const words = (digits: string): string =>
  `${ENDINGS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${SPACES}`

const UPPER = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]'
const LOWER = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]'
const ahead = '[^\\r\\n\\p{L}\\p{N}]?'
const cased = (ending: string, digits: string): string =>
  `${ahead}${UPPER}*${LOWER}+${ending}|${ahead}${UPPER}+${LOWER}*${ending}|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${SPACES}`

const NFC = { type: 'NFC' }
const GPT2: PreTokenizer = { pre: byteLevel(true) }
const DIGITS: PreTokenizer = {
  // No `Digits`: not everything that reads it counts ½ among them.
  pre: sequence(split('\\p{N}'), byteLevel(true)),
}
const TRIPLES: PreTokenizer = { pre: cut(words('\\p{N}{1,3}')) }
const LLAMA3: PreTokenizer = { ...TRIPLES, ignoreMerges: true, addBos: true }
const QWEN2: PreTokenizer = { pre: cut(words('\\p{N}')), normalizer: NFC }
const CL100K_SINGLE: PreTokenizer = { pre: cut(words('\\p{N}')) }
const TEKKEN: PreTokenizer = { pre: cut(cased('', '\\p{N}')), ignoreMerges: true, addBos: true }
const GPT4O: PreTokenizer = { pre: cut(cased(`${ENDINGS}?`, '\\p{N}{1,3}')) }
const DEEPSEEK_CODER: PreTokenizer = {
  pre: sequence(
    ...['[\\r\\n]', '\\s?\\p{L}+', '\\s?\\p{P}+', '[一-龥ࠀ-一가-퟿]+', '\\p{N}'].map(split),
    byteLevel(false),
  ),
}
const DEEPSEEK3: PreTokenizer = {
  pre: cut(
    '\\p{N}{1,3}',
    '[一-龥぀-ゟ゠-ヿ]+',
    `[!"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_\`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|${SPACES}`,
  ),
}
const SEED: PreTokenizer = {
  pre: cut(`${ENDINGS}|${ahead}\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|${SPACES}`),
}

const named = (one: PreTokenizer, ...names: readonly string[]): [string, PreTokenizer][] =>
  names.map((name) => [name, one])

/** By `tokenizer.ggml.pre`. */
export const PRE_TOKENIZERS: ReadonlyMap<string, PreTokenizer> = new Map([
  ...named(GPT2, 'gpt-2', 'phi-2', 'gigachat', 'mellum', 'a.x-4.0', 'olmo', 'mpt', 'jais'),
  ...named(GPT2, 'trillion', 'granite-docling', 'exaone4', 'modern-bert'),
  ...named(DIGITS, 'smollm', 'starcoder', 'refact', 'command-r', 'codeshell', 'exaone'),
  ...named(DIGITS, 'minerva-7b', 'mellum2'),
  ...named(LLAMA3, 'llama-bpe', 'llama3', 'llama-v3', 'falcon3', 'falcon-h1', 'pixtral'),
  ...named(LLAMA3, 'midm-2.0', 'lfm2'),
  ...named(TRIPLES, 'dbrx', 'smaug-bpe', 'chatglm-bpe'),
  ...named({ ...TRIPLES, ignoreMerges: true }, 'glm4'),
  ...named(QWEN2, 'qwen2', 'deepseek-r1-qwen', 'megrez'),
  ...named(CL100K_SINGLE, 'stablelm2', 'hunyuan', 'solar-open', 'kormo', 'grok-2', 'f2llmv2'),
  ...named(TEKKEN, 'tekken'),
  ...named(GPT4O, 'gpt-4o', 'llama4', 'kanana2', 'minimax-m2'),
  ...named(DEEPSEEK_CODER, 'deepseek-coder'),
  ...named(DEEPSEEK3, 'deepseek-v3', 'hunyuan-dense'),
  ...named(SEED, 'seed-coder'),
])

/** What models of an architecture most likely have, where a file does not say (those older than May 2024). */
export function likelyPreTokenizer(architecture: string, tokens: readonly string[]): string {
  if (architecture.startsWith('qwen')) return 'qwen2'
  if (architecture === 'gpt-oss') return 'gpt-4o'
  return tokens.includes('<|begin_of_text|>') ? 'llama-bpe' : 'gpt-2'
}
