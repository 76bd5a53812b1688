/**
 * From ids back to text, one id at a time. Each token is turned into bytes or text once (and kept); a `TextStream`
 * joins them so that a UTF-8 sequence spread over several tokens comes out whole. Pushing ids one by one and decoding
 * them at once are the same code, so they cannot differ.
 */

import { TokenizerError } from './errors.ts'
import { isObject, type JsonObject } from './files.ts'
import { pendingUtf8 } from './utf8.ts'

/** A token's share of the text: bytes join with their neighbours into characters, text stands by itself. */
export type Piece = Uint8Array | string

/** What the `decoder` of tokenizer.json asks for, reduced to what language models use. */
export interface DecodePlan {
  bytes: 'byte-level' | 'fallback' | 'none'
  /** Literal replacements inside each token, in order. */
  replace: readonly (readonly [string, string])[]
  /** Characters dropped at the start of the text: `count` of `content` at most. */
  strip: { content: string; count: number } | undefined
  /** Metaspace: the replacement character is dropped, not turned into a space, in the first token. */
  dropInFirst: string | undefined
}

/** GPT-2's table: each byte has a printable character; this maps the character back to its byte. */
const BYTE_OF_CHARACTER: ReadonlyMap<string, number> = (() => {
  const map = new Map<string, number>()
  let extra = 0
  for (let byte = 0; byte < 256; byte++) {
    const printable =
      (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255)
    map.set(String.fromCodePoint(printable ? byte : 256 + extra++), byte)
  }
  return map
})()

/** Reads a `decoder` of tokenizer.json. Throws `TokenizerError('broken')` naming a step that is not known. */
export function readDecodePlan(decoder: unknown): DecodePlan {
  const steps = isObject(decoder) && decoder.type === 'Sequence' ? decoder.decoders : [decoder]
  const replace: [string, string][] = []
  const plan: DecodePlan = { bytes: 'none', replace, strip: undefined, dropInFirst: undefined }
  for (const step of Array.isArray(steps) ? steps : []) {
    const type = isObject(step) ? step.type : undefined
    if (type === 'ByteLevel') plan.bytes = 'byte-level'
    else if (type === 'ByteFallback') plan.bytes = 'fallback'
    else if (type === 'Replace') replace.push(readReplace(step as JsonObject))
    else if (type === 'Strip') plan.strip = readStrip(step as JsonObject)
    else if (type === 'Metaspace') {
      const mark = String((step as JsonObject).replacement ?? '▁')
      replace.push([mark, ' '])
      if ((step as JsonObject).prepend_scheme !== 'never') plan.dropInFirst = mark
    } else if (type !== 'Fuse') throw unknownStep(type)
  }
  return plan
}

function unknownStep(type: unknown): TokenizerError {
  return new TokenizerError(
    'broken',
    `tokenizer.json has a decoder step ${JSON.stringify(type ?? null)} that cannot be decoded here; known: ByteLevel, ByteFallback, Metaspace, Replace (of a string), Strip (at the start), Fuse.`,
  )
}

function readReplace(step: JsonObject): [string, string] {
  const pattern = isObject(step.pattern) ? step.pattern.String : undefined
  if (typeof pattern !== 'string' || pattern === '') throw unknownStep('Replace (of a pattern)')
  return [pattern, String(step.content ?? '')]
}

function readStrip(step: JsonObject): DecodePlan['strip'] {
  if (Number(step.stop ?? 0) !== 0) throw unknownStep('Strip (at the end)')
  return { content: String(step.content ?? ' '), count: Number(step.start ?? 0) }
}

/** The bytes or text of a token under a plan. `isAdded`: added tokens stand for themselves in byte-level form. */
export function pieceOf(token: string, plan: DecodePlan, isAdded: boolean): Piece {
  if (plan.bytes === 'byte-level') return isAdded ? token : byteLevelBytes(token)
  let text = token
  for (const [from, to] of plan.replace) text = text.replaceAll(from, to)
  if (plan.bytes === 'fallback' && /^<0x[0-9A-Fa-f]{2}>$/.test(text)) {
    return Uint8Array.of(Number.parseInt(text.slice(3, 5), 16))
  }
  return text
}

function byteLevelBytes(token: string): Uint8Array {
  const bytes: number[] = []
  for (const character of token) {
    const byte = BYTE_OF_CHARACTER.get(character)
    // A character outside the table: the reference takes the whole token as plain text.
    if (byte === undefined) return new TextEncoder().encode(token)
    bytes.push(byte)
  }
  return Uint8Array.from(bytes)
}

/** A piece's share of a text, as bytes: at its start without what the plan drops there. */
export function bytesOfPiece(piece: Piece, { strip }: DecodePlan, first: boolean): Uint8Array {
  const bytes = typeof piece === 'string' ? new TextEncoder().encode(piece) : piece
  const content = new TextEncoder().encode(strip?.content ?? '')
  let from = 0
  for (let count = first ? (strip?.count ?? 0) : 0; count > 0 && content.length > 0; count--) {
    if (content.some((byte, at) => bytes[from + at] !== byte)) break
    from += content.length
  }
  return bytes.subarray(from)
}

/** Where a stream gets its pieces: the piece of an id, and of an id that comes first. */
export interface PieceSource {
  readonly plan: DecodePlan
  /** Undefined for ids outside the vocabulary, which have no text. */
  piece(id: number, first: boolean): Piece | undefined
  isSkipped(id: number): boolean
}

// ignoreBOM keeps U+FEFF: it is text like any other.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Joins pieces into text; holds back only an unfinished UTF-8 sequence (at most three bytes). */
export class TextStream {
  readonly #source: PieceSource
  #pending = new Uint8Array(0)
  #first = true
  #strip: number

  constructor(source: PieceSource) {
    this.#source = source
    this.#strip = source.plan.strip?.count ?? 0
  }

  /** Text that is certain once `id` is there: whole code points, possibly none. */
  push(id: number): string {
    if (this.#source.isSkipped(id)) return ''
    const piece = this.#source.piece(id, this.#first)
    if (piece === undefined) return ''
    this.#first = false
    if (typeof piece === 'string') return this.#start(this.#flush() + piece)
    const bytes = new Uint8Array(this.#pending.length + piece.length)
    bytes.set(this.#pending)
    bytes.set(piece, this.#pending.length)
    const whole = bytes.length - pendingUtf8(bytes)
    this.#pending = bytes.slice(whole)
    return this.#start(decoder.decode(bytes.subarray(0, whole)))
  }

  /** What is left at the end: U+FFFD for a sequence that never completed, else nothing. */
  finish(): string {
    return this.#start(this.#flush())
  }

  #flush(): string {
    const text = this.#pending.length > 0 ? decoder.decode(this.#pending) : ''
    this.#pending = new Uint8Array(0)
    return text
  }

  #start(text: string): string {
    const content = this.#source.plan.strip?.content ?? ''
    let rest = text
    while (this.#strip > 0 && rest !== '') {
      const hit = rest.startsWith(content)
      this.#strip = hit ? this.#strip - 1 : 0
      if (hit) rest = rest.slice(content.length)
    }
    return rest
  }
}
