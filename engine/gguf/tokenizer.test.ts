/** Tokenizers out of metadata: SentencePiece against its own algorithm, ways to cut text, control tokens, ends of answers. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Tokenizer } from '../../tokenizer/index.ts'
import type { GgufValue } from '../weights/gguf.ts'
import { Metadata } from './metadata.ts'
import { deriveGeneration } from './special-ids.ts'
import { deriveTokenizer } from './tokenizer.ts'

function metadataOf(keys: Record<string, GgufValue>, architecture = 'llama'): Metadata {
  const metadata = new Map<string, GgufValue>([['general.architecture', architecture]])
  for (const [key, value] of Object.entries(keys)) metadata.set(`tokenizer.${key}`, value)
  const read = async (): Promise<void> => {}
  return new Metadata({ path: 'm.gguf', metadata, tensors: new Map(), read })
}

function tokenizerOf(meta: Metadata): Tokenizer {
  const { files } = deriveTokenizer(meta)
  const json = JSON.parse(JSON.stringify(files['tokenizer.json']))
  return new Tokenizer(json, files['tokenizer_config.json'])
}

const BYTES = Array.from(
  { length: 256 },
  (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
)
/** The better, the earlier. */
const PIECES = [
  'ab',
  '▁a',
  'bc',
  'abc',
  '▁ab',
  'cc',
  '▁▁',
  'ca',
  '▁abc',
  'ccab',
  'b',
  'a',
  '▁',
  'c',
]
const SPECIAL = ['<unk>', '<s>', '</s>', '<|end|>']

function pieces(more: Record<string, GgufValue> = {}, architecture?: string): Metadata {
  const tokens = [...SPECIAL, ...BYTES, ...PIECES]
  return metadataOf(
    {
      'ggml.model': 'llama',
      'ggml.tokens': tokens,
      'ggml.scores': tokens.map((token) => -1 - PIECES.indexOf(token)),
      'ggml.token_type': tokens.map((_, id) => (id === 0 ? 2 : id < 4 ? 3 : id < 260 ? 6 : 1)),
      'ggml.bos_token_id': 1,
      'ggml.eos_token_id': 2,
      'ggml.unknown_token_id': 0,
      chat_template: '{{ messages }}',
      ...more,
    },
    architecture,
  )
}

/** SentencePiece's own way: of all neighbours the pair that makes the best token, the leftmost first. */
function merged(text: string): string[] {
  const parts = [...text.replaceAll(' ', '▁')]
  for (;;) {
    let best = -1
    let rank = PIECES.length
    for (let i = 0; i + 1 < parts.length; i++) {
      const own = PIECES.indexOf(`${parts[i]}${parts[i + 1]}`)
      if (own >= 0 && own < rank) [best, rank] = [i, own]
    }
    if (best < 0) break
    parts.splice(best, 2, `${parts[best]}${parts[best + 1]}`)
  }
  return parts.flatMap((part) =>
    PIECES.includes(part) ? [part] : [...Buffer.from(part)].map((byte) => BYTES[byte] ?? ''),
  )
}

describe('SentencePiece', () => {
  const texts = fc.string({ unit: fc.constantFrom('a', 'b', 'c', ' ', 'é', '日'), maxLength: 24 })

  it.each([true, false])('has the pieces of its own algorithm (a space before: %s)', (space) => {
    const tokenizer = tokenizerOf(pieces({ 'ggml.add_space_prefix': space }))
    fc.assert(
      fc.property(texts, (text) => {
        const ids = tokenizer.encode(text, { specialTokens: false })
        const found = ids.map((id) => tokenizer.tokenText(id))
        expect(found).toEqual(text === '' ? [] : merged(`${space ? ' ' : ''}${text}`))
        expect(tokenizer.decode(ids)).toBe(text)
      }),
    )
  })

  it('begins with bos unless the file says otherwise, and reads control tokens where it should', () => {
    const tokenizer = tokenizerOf(pieces())
    expect(tokenizer.encode('ab')[0]).toBe(1)
    expect(tokenizer.encode('</s>', { parseSpecial: true })).toEqual([1, 2])
    expect(tokenizer.encode('</s>')).not.toContain(2)
    const both = { 'ggml.add_bos_token': false, 'ggml.add_eos_token': true }
    const other = tokenizerOf(pieces(both)).encode('ab')
    expect([other[0], other.at(-1)]).toEqual([tokenizer.idOf('▁ab'), 2])
  })

  it('drops spaces after control tokens of Phi-3 alone', () => {
    const encode = (architecture: string) =>
      tokenizerOf(pieces({}, architecture)).encode('<|end|>   ', { parseSpecial: true })
    expect(encode('phi3')).toEqual([1, 3])
    expect(encode('llama').length).toBeGreaterThan(2)
  })

  it('without as many scores as tokens is damaged', () => {
    expect(() => tokenizerOf(pieces({ 'ggml.scores': [1] }))).toThrow(/scores holds 1 numbers/)
  })
})

/** A vocabulary of the 256 bytes, so that each piece of text shows as its bytes; merges glue what is in one piece. */
function pairs(more: Record<string, GgufValue>, architecture?: string): Metadata {
  const digits = ['0', '1', '2']
  const merges = digits.flatMap((a) => digits.map((b) => `${a} ${b}`)).concat('12 0', 'Ġ x', "' S")
  const tokens = ['<|endoftext|>', '<|im_end|>', '<|begin_of_text|>', ..."012Ġx'SÂ½Ċ"]
  tokens.push(...merges.map((merge) => merge.replace(' ', '')))
  return metadataOf(
    {
      'ggml.model': 'gpt2',
      'ggml.tokens': tokens,
      'ggml.token_type': tokens.map((_, id) => (id < 3 ? 3 : 1)),
      'ggml.merges': merges,
      'ggml.bos_token_id': 2,
      'ggml.eos_token_id': 0,
      ...more,
    },
    architecture,
  )
}

describe('byte pairs', () => {
  const split = (pre: string | undefined, text: string, architecture?: string) => {
    const meta = pairs(pre === undefined ? {} : { 'ggml.pre': pre }, architecture)
    const tokenizer = tokenizerOf(meta)
    const ids = tokenizer.encode(text, { specialTokens: false })
    return ids.map((id) => tokenizer.tokenText(id))
  }

  it.each([
    ['gpt-2', '120 x½', ['120', 'Ġx', 'Â', '½']],
    ['smollm', '120 x½', ['1', '2', '0', 'Ġx', 'Â', '½']],
    ['llama-bpe', '1201', ['120', '1']],
    ['qwen2', '120', ['1', '2', '0']],
    ['llama-bpe', "x'S", ['x', "'S"]],
    ['gpt-2', "x'S", ['x', "'", 'S']],
    ['gpt-4o', '1201', ['120', '1']],
    ['tekken', '120', ['1', '2', '0']],
  ])('as %s cut %s', (pre, text, expected) => {
    expect(split(pre, text)).toEqual(expected)
  })

  it('where the file does not say how, as the architecture does, with a warning', () => {
    const warningsOf = (more: Record<string, GgufValue>, architecture: string) =>
      deriveTokenizer(pairs(more, architecture)).warnings.filter((each) => each.includes('cut'))
    expect(warningsOf({}, 'qwen2')).toEqual([expect.stringContaining('"qwen2"')])
    expect(warningsOf({ 'ggml.pre': 'default' }, 'llama')).toEqual([
      expect.stringContaining('"llama-bpe"'),
    ])
    expect(warningsOf({ 'ggml.pre': 'qwen2' }, 'qwen2')).toEqual([])
    expect(split(undefined, '120', 'qwen2')).toEqual(['1', '2', '0'])
  })

  it('begin with bos only where the file, or the way to cut, says so', () => {
    const first = (more: Record<string, GgufValue>) => tokenizerOf(pairs(more)).encode('x')[0]
    expect(first({ 'ggml.pre': 'llama-bpe' })).toBe(2)
    expect(first({ 'ggml.pre': 'llama-bpe', 'ggml.add_bos_token': false })).not.toBe(2)
    expect(first({ 'ggml.pre': 'gpt-2' })).not.toBe(2)
  })
})

it.each([
  ['every control token whose name ends a turn', pairs({}), [0, 1]],
  ['not the unknown one', pairs({ 'ggml.eos_token_id': 1, 'ggml.unknown_token_id': 0 }), 1],
  ['those that the file names', pairs({ 'ggml.eot_token_id': 5 }), [0, 5, 1]],
])('an answer ends with %s', (_, meta, expected) => {
  expect(deriveGeneration(meta)).toMatchObject({ bos_token_id: 2, eos_token_id: expected })
})

it('an answer of gpt-oss does not end where its messages do', () => {
  const tokens = ['<|return|>', '<|call|>', '<|end|>']
  const meta = metadataOf({ 'ggml.tokens': tokens, 'ggml.token_type': [3, 3, 3] }, 'gpt-oss')
  expect(deriveGeneration(meta).eos_token_id).toEqual([0, 1])
})
