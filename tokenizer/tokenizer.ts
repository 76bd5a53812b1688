/**
 * Text to ids and back, over `@huggingface/tokenizers` (which supplies normalisation, pre-tokenisation, the BPE and
 * Unigram models and post-processing). The order of the steps is ours, for one reason: the library always turns the
 * text of a control token into that token, and text that a user wrote must not become one.
 */

import { join } from 'node:path'
import type { Tokenizer as Library } from '@huggingface/tokenizers'
import { AddedTokenSplitter, readAddedTokens, type SplitOptions } from './added-tokens.ts'
import { TokenizerError } from './errors.ts'
import { type JsonObject, readObject, tokenContent } from './files.ts'
import { buildLibrary, byteTokens, readSpecialIds, unigramFallsBack } from './library.ts'
import {
  bytesOfPiece,
  type DecodePlan,
  type Piece,
  pieceOf,
  readDecodePlan,
  TextStream,
} from './token-text.ts'

export interface EncodeOptions {
  /** Add what the tokenizer puts around a text (for instance a beginning-of-text token). Default true. */
  specialTokens?: boolean
  /** Let control tokens spelled out in the text become those tokens. Default false. */
  parseSpecial?: boolean
}

export interface DecodeOptions {
  /** Leave out control tokens. Default true. */
  skipSpecial?: boolean
}

/** A model folder's tokenizer. Immutable after loading, apart from caches; safe to share. */
export class Tokenizer {
  /** Ids of the control tokens. */
  readonly specialIds: ReadonlySet<number>
  /** One more than the highest id. */
  readonly vocabularySize: number
  /** Of the beginning-of-text and end-of-text tokens, where tokenizer_config.json names them. */
  readonly bosId: number | undefined
  readonly eosId: number | undefined
  /** tokenizer_config.json, as read; the chat template takes its special tokens from it. */
  readonly config: Readonly<JsonObject>
  readonly #library: Library
  readonly #model: NonNullable<Library['model']>
  readonly #addedIds: ReadonlySet<number>
  readonly #plain: AddedTokenSplitter
  readonly #normalized: AddedTokenSplitter
  readonly #decoder: unknown
  readonly #fallsBack: boolean
  #plan: DecodePlan | undefined
  readonly #pieces: Piece[] = []

  /** From parsed tokenizer.json and tokenizer_config.json. Throws `TokenizerError('broken')`. */
  constructor(json: JsonObject, config: JsonObject, source = 'tokenizer.json') {
    this.#library = buildLibrary(json, config, source)
    const { model, normalizer } = this.#library
    if (model === null) throw new TokenizerError('broken', `${source} has no model.`)
    this.#model = model
    this.config = config
    const added = readAddedTokens(this.#library)
    this.#plain = new AddedTokenSplitter(
      added.filter((token) => !token.normalized),
      (token) => token.content,
    )
    this.#normalized = new AddedTokenSplitter(
      added.filter((token) => token.normalized),
      ({ content }) => (normalizer === null ? content : normalizer(content)),
    )
    this.#addedIds = new Set(added.map((token) => token.id))
    this.specialIds = readSpecialIds(added, config, this.#model.tokens_to_ids)
    this.vocabularySize = this.#model.vocab.length
    this.bosId = this.#configuredId('bos_token')
    this.eosId = this.#configuredId('eos_token')
    this.#decoder = json.decoder ?? null
    this.#fallsBack = unigramFallsBack(json)
  }

  /**
   * Reads tokenizer.json (needed) and tokenizer_config.json (optional) of a model folder.
   * Throws `TokenizerError`: 'missing' without tokenizer.json, 'broken' when it cannot be used.
   */
  static async load(folder: string): Promise<Tokenizer> {
    const json = await readObject(folder, 'tokenizer.json')
    if (json === undefined) {
      throw new TokenizerError(
        'missing',
        `There is no tokenizer.json in ${folder}, so text cannot be turned into ids: copy it there from where the model came from, or pass token ids.`,
      )
    }
    const config = (await readObject(folder, 'tokenizer_config.json')) ?? {}
    return new Tokenizer(json, config, join(folder, 'tokenizer.json'))
  }

  /** Ids of a text. What looks like a control token stays text unless `parseSpecial` is set. */
  encode(text: string, options: EncodeOptions = {}): number[] {
    return this.#encode(
      text,
      { special: options.parseSpecial ?? false },
      options.specialTokens ?? true,
    )
  }

  /**
   * Ids of a rendered prompt in which `guard` marks user text (see `ChatTemplate.encode`): control tokens are parsed,
   * but none that touches a guard; the guards themselves are taken out. Nothing is added around the text.
   */
  encodeGuarded(text: string, guard: string | undefined): number[] {
    return this.#encode(text, { special: true, guard }, false)
  }

  /** Text of ids; ids outside the vocabulary have none, and broken UTF-8 gives U+FFFD. */
  decode(ids: readonly number[], options: DecodeOptions = {}): string {
    const stream = this.stream(options)
    let text = ''
    for (const id of ids) text += stream.push(id)
    return text + stream.finish()
  }

  /** A decoder that takes one id at a time; `Detokenizer` adds stop strings to it. */
  stream(options: DecodeOptions = {}): TextStream {
    const skip = options.skipSpecial ?? true
    this.#plan ??= readDecodePlan(this.#decoder)
    return new TextStream({
      plan: this.#plan,
      piece: (id, first) => this.#piece(id, first),
      isSkipped: (id) => skip && this.specialIds.has(id),
    })
  }

  /**
   * What a token adds to a text: bytes that need not be whole characters. Those of all tokens, joined, are the text that
   * `decode` gives. Null for control tokens, which are left out of it, and for ids outside the vocabulary.
   * @param first whether the text begins with it, since some tokenizers drop a space there
   */
  bytesOf(id: number, first = false): Uint8Array | null {
    this.#plan ??= readDecodePlan(this.#decoder)
    const piece = this.specialIds.has(id) ? undefined : this.#piece(id, first)
    return piece === undefined ? null : bytesOfPiece(piece, this.#plan, first)
  }

  /** The token as the vocabulary writes it (`Ġhello`), or undefined. */
  tokenText(id: number): string | undefined {
    return this.#model.vocab[id]
  }

  /** The id of a token as the vocabulary writes it, or undefined. */
  idOf(token: string): number | undefined {
    return this.#model.tokens_to_ids.get(token)
  }

  #configuredId(name: string): number | undefined {
    const token = tokenContent(this.config[name])
    return token === undefined ? undefined : this.idOf(token)
  }

  #piece(id: number, first: boolean): Piece | undefined {
    const token = this.#model.vocab[id]
    const plan = this.#plan
    if (token === undefined || plan === undefined) return undefined
    if (first && plan.dropInFirst !== undefined) {
      return pieceOf(token.replaceAll(plan.dropInFirst, ''), plan, this.#addedIds.has(id))
    }
    this.#pieces[id] ??= pieceOf(token, plan, this.#addedIds.has(id))
    return this.#pieces[id]
  }

  #encode(text: string, split: SplitOptions, specialTokens: boolean): number[] {
    const tokens: string[] = []
    this.#plain.split(text, split).forEach((section, index) => {
      if ('token' in section) tokens.push(section.token.content)
      else this.#encodeText(section.text, index, split, tokens)
    })
    const post = this.#library.post_processor
    const all = post === null ? tokens : post(tokens, null, specialTokens).tokens
    return all.map((token: string) => this.#idOrUnknown(token))
  }

  #encodeText(text: string, index: number, split: SplitOptions, out: string[]): void {
    const { normalizer, pre_tokenizer: preTokenizer } = this.#library
    const normal = normalizer === null ? text : normalizer(text)
    // Only the very first words may get a space of their own.
    for (const [at, section] of this.#normalized.split(normal, split).entries()) {
      if ('token' in section) {
        out.push(section.token.content)
        continue
      }
      const plain =
        split.guard === undefined ? section.text : section.text.replaceAll(split.guard, '')
      if (plain === '') continue
      const words =
        preTokenizer === null ? [plain] : preTokenizer(plain, { section_index: index + at })
      for (const token of this.#model(words)) this.#spell(token, out)
    }
  }

  /** Some models hold their control tokens in the vocabulary and would find them in plain text: spell those out. */
  #spell(token: string, out: string[]): void {
    const id = this.idOf(token)
    const [head = ''] = token
    if (id === undefined) out.push(...(this.#fallsBack ? byteTokens(token) : [token]))
    else if (!this.specialIds.has(id) || token === this.#model.unk_token) {
      out.push(token)
    } else if (head.length < token.length) {
      for (const part of [head, token.slice(head.length)]) {
        for (const smaller of this.#model([part])) this.#spell(smaller, out)
      }
    }
  }

  #idOrUnknown(token: string): number {
    const id = this.idOf(token) ?? this.#model.unk_token_id
    if (id !== undefined) return id
    throw new TokenizerError(
      'broken',
      `The tokenizer made the token ${JSON.stringify(token)}, which is not in its vocabulary, and has no unknown token.`,
    )
  }
}
