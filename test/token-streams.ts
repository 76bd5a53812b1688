/**
 * Answers cut into tokens anywhere (in the middle of characters, of emoji, of stop strings), in each form a tokenizer
 * may have, and what their text is: found at once from the bytes, with none of the code that streams.
 */
import fc from 'fast-check'
import { byteLevelJson, sentencePieceJson } from '../tokenizer/testing.ts'
import { Tokenizer } from '../tokenizer/tokenizer.ts'

/** How a vocabulary writes bytes: GPT-2's letters, `<0xE2>` beside text (Llama 2), or text alone. */
type Family = 'byte-level' | 'byte-fallback' | 'metaspace'

export interface TokenStream {
  readonly tokenizer: Tokenizer
  readonly ids: readonly number[]
  readonly stop: readonly string[]
  /** What the tokens stand for, in order; null: a control token, which is left out of the text. */
  readonly meanings: readonly (Buffer | null)[]
  readonly family: Family
}

/** A token as the vocabulary writes it, and what it stands for. */
interface Token {
  readonly written: string
  readonly meaning: Buffer | null
}

const CONTROL = '<|im_end|>'
/** Added, but no control token: it is text. */
const ADDED = '<tool>'

const PIECES = [
  ...'ab o\n.é日',
  ...['ab', 'aab', ' the', 'e\u0301', 'a\u0308\u0323', '😀', '👨‍👩‍👧', '🇩🇪', '\u200d', '\ufeff'],
  ...['\ufffd', '\u0000', '\r\n', '</s>', 'STOP', CONTROL, ADDED],
]
/** Bytes that are no UTF-8: stray and missing ends, overlong forms, halves of surrogate pairs, beyond Unicode. */
const BROKEN = [
  '80',
  'ff',
  'c3',
  'e282',
  'f09f98',
  'c0af',
  'eda080',
  'f4908080',
  'f8888080',
  'e28c',
]

const fragment = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...PIECES) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 2 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...BROKEN).map((hex) => Buffer.from(hex, 'hex')),
  },
)

/** A stop string of its own, or a part of the text, with what may be left of it. */
const stopPlan = fc.record({
  from: fc.nat(200),
  length: fc.integer({ min: 1, max: 8 }),
  other: fc.option(
    fc.string({ unit: fc.constantFrom(...'ab .😀é日\ufffd'), minLength: 1, maxLength: 3 }),
  ),
  // Of two stop strings, one is the beginning of the other.
  longer: fc.option(fc.constantFrom('a', ' ', '😀'), { freq: 5 }),
})

export const tokenStreams: fc.Arbitrary<TokenStream> = fc
  .record({
    family: fc.constantFrom<Family>('byte-level', 'byte-fallback', 'metaspace'),
    fragments: fc.array(fragment, { minLength: 1, maxLength: 20 }),
    cuts: fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 12 }),
    stops: fc.array(stopPlan, { maxLength: 4 }),
  })
  .map(({ family, fragments, cuts, stops }) => {
    const tokens = tokensOf(family, fragments, cuts)
    const { tokenizer, ids } = spell(family, tokens)
    const meanings = tokens.map(({ meaning }) => meaning)
    const text = textOf(meanings, family)
    const stop = stops.flatMap(({ from, length, other, longer }) => {
      const start = from % (text.length + 1)
      // A half of a surrogate pair is in no text.
      const own = (other ?? text.slice(start, start + length)).replace(/\p{Surrogate}/gu, '')
      if (own === '') return []
      return longer === null ? [own] : [own, own + longer]
    })
    return { tokenizer, ids, stop, meanings, family }
  })

function tokensOf(
  family: Family,
  fragments: readonly (string | Buffer)[],
  cuts: readonly number[],
): Token[] {
  let turn = 0
  const next = (): number => cuts[turn++ % cuts.length] ?? 1
  const pieces: (string | Buffer)[] = []
  for (const each of fragments) {
    const isWhole = each === CONTROL || each === ADDED
    const last = pieces.at(-1)
    if (isWhole || last === undefined || last === CONTROL || last === ADDED) pieces.push(each)
    else pieces[pieces.length - 1] = joined(last, each)
  }
  return pieces.flatMap((piece): Token[] => {
    if (piece === CONTROL) return [{ written: CONTROL, meaning: null }]
    if (piece === ADDED) return [{ written: ADDED, meaning: Buffer.from(ADDED) }]
    if (family === 'byte-level') return byteTokens(Buffer.from(piece), next)
    return textTokens(piece.toString(), next, family === 'byte-fallback' ? piece : null)
  })
}

/** Text and text is text; bytes make bytes of what is beside them. */
const joined = (first: string | Buffer, second: string | Buffer): string | Buffer =>
  typeof first === 'string' && typeof second === 'string'
    ? first + second
    : Buffer.concat([Buffer.from(first), Buffer.from(second)])

/** Runs of bytes of any length, wherever a character may be. */
function byteTokens(bytes: Buffer, next: () => number): Token[] {
  const tokens: Token[] = []
  for (let at = 0; at < bytes.length; ) {
    const meaning = bytes.subarray(at, at + next())
    at += meaning.length
    tokens.push({ written: [...meaning].map((byte) => LETTERS[byte]).join(''), meaning })
  }
  return tokens
}

/** Runs of characters; where there are bytes for it, some as a token a byte. */
function textTokens(text: string, next: () => number, bytes: string | Buffer | null): Token[] {
  if (bytes instanceof Buffer) return [...bytes].map(fallback)
  const characters = [...text]
  const tokens: Token[] = []
  while (characters.length > 0) {
    const size = next()
    const run = characters.splice(0, size).join('')
    if (bytes !== null && size % 2 === 0) tokens.push(...[...Buffer.from(run)].map(fallback))
    else
      tokens.push({
        written: run.replaceAll(' ', '▁'),
        meaning: Buffer.from(run.replaceAll('▁', ' ')),
      })
  }
  return tokens
}

const fallback = (byte: number): Token => ({
  written: `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
  meaning: Buffer.of(byte),
})

/** How a byte-level vocabulary writes a byte. */
const LETTERS: readonly string[] = (() => {
  const { model } = byteLevelJson() as { model: { vocab: Record<string, number> } }
  // An object's own order would put the digits first.
  const byId = Object.entries(model.vocab).sort(([, a], [, b]) => a - b)
  return byId.slice(2, 258).map(([letter]) => letter)
})()

/** A tokenizer whose vocabulary is these tokens. */
function spell(family: Family, tokens: readonly Token[]): { tokenizer: Tokenizer; ids: number[] } {
  const vocab = new Map([CONTROL, ADDED].map((written, id) => [written, id]))
  const ids = tokens.map(({ written }) => {
    const id = vocab.get(written) ?? vocab.size
    vocab.set(written, id)
    return id
  })
  const json = family === 'byte-level' ? byteLevelJson() : sentencePieceJson()
  const added = [CONTROL, ADDED].map((content, id) => ({
    ...{ id, content, special: content === CONTROL, normalized: false },
    ...{ single_word: false, lstrip: false, rstrip: false },
  }))
  const decoder = family === 'metaspace' ? { type: 'Metaspace', replacement: '▁' } : json.decoder
  const model = { type: 'BPE', vocab: Object.fromEntries(vocab), merges: [] }
  return { tokenizer: new Tokenizer({ ...json, added_tokens: added, decoder, model }, {}), ids }
}

/** The text of tokens, from their bytes at once. */
export function textOf(meanings: readonly (Buffer | null)[], family: Family): string {
  const shown = meanings.filter((each) => each !== null)
  const text = Buffer.concat(shown).toString('utf8')
  if (family === 'byte-level') return text
  if (family === 'byte-fallback') return text.replace(/^ /, '')
  // The first token loses its marks, which are spaces in all others.
  const [first = Buffer.alloc(0), ...rest] = shown
  const begin = first.toString('utf8').replaceAll(' ', '')
  return begin + Buffer.concat(rest).toString('utf8')
}

/** Text up to the stop string that is complete first; of two complete at one place, the longer. */
export function cutAt(text: string, stop: readonly string[]): { text: string; stopped: boolean } {
  let [end, start] = [Number.POSITIVE_INFINITY, text.length]
  for (const each of stop) {
    const at = text.indexOf(each)
    const over = at + each.length
    if (at >= 0 && (over < end || (over === end && at < start))) [end, start] = [over, at]
  }
  return { text: text.slice(0, start), stopped: end <= text.length }
}
