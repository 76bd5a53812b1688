/**
 * An engine without a model, for tests of everything around one: it continues any prompt with the same words at a rate
 * one can set, honours choices, biases, log-probabilities, stops, limits and the signal, and counts what it was asked
 * to do.
 */
import type { ChatMessage, ChatOptions, GenerateOptions, Generation } from '../engine/api.ts'
import { EngineError } from '../engine/errors.ts'
import type { ServedEngine } from './contract/served-engine.ts'
import { FakeGeneration } from './fake-generation.ts'

export interface FakeOptions {
  id?: string
  /** Bytes that it says it takes. */
  memory?: number
  /** Words of the answer; one is a token. */
  words?: readonly string[]
  /** Tokens a second; default: as fast as the loop turns. */
  rate?: number
  /** Milliseconds before the first token. */
  prefill?: number
  /** Thrown after so many tokens. */
  failAfter?: { tokens: number; error: Error }
  contextLength?: number
  defaults?: GenerateOptions
}

/** Ids below are code points, those from here on the words of the answer. */
export const FIRST_WORD = 0x110000

/** Prompt tokens that every answer claims to have found in the cache. */
export const CACHED_TOKENS = 3

/** Words of the answer, unless a test has its own. */
export const WORDS = ['Once', ' upon', ' a', ' time', ' there', ' was', ' a', ' lamp', ' 💡', '.']

/** See the file's header. `tokens` counts what was decoded; `calls` what was asked. */
export class FakeEngine implements ServedEngine {
  readonly info
  readonly stats = {
    adapter: { name: 'Fake adapter', vendor: 'nobody', kind: 'software' as const },
    memory: { total: 131_200_000, byPurpose: { weights: 100_000_000, kv: 31_200_000 } },
    running: 0,
    queued: 0,
    pages: { free: 60, cached: 4, inUse: 0, total: 64 },
    pageGroups: [{ window: null, free: 60, cached: 4, inUse: 0, total: 64 }],
    prefix: { promptTokens: 0, cachedTokens: 0 },
    preemptions: 0,
    speculation: { drafted: 0, accepted: 0 },
    restarts: 0,
    steps: 0,
    busy: 0,
    loop: { active: 0, idle: 0 },
    calls: {},
    dispatchesPerToken: 0,
  }
  readonly defaults: GenerateOptions
  /** Tokens decoded in all. */
  tokens = 0
  /** Generations that ended because their signal fired. */
  aborted = 0
  closed = false
  readonly calls: { prompt: unknown; options: ChatOptions }[] = []
  readonly #options: FakeOptions
  readonly #words: readonly string[]

  constructor(options: FakeOptions = {}) {
    this.#options = options
    this.#words = options.words ?? WORDS
    if (options.memory !== undefined) this.stats.memory.total = options.memory
    this.defaults = options.defaults ?? {}
    this.info = {
      id: options.id ?? 'fake/tiny-1',
      path: '/models/fake',
      architecture: 'LlamaForCausalLM',
      family: 'llama',
      parameters: 134_515_008,
      layers: 30,
      heads: 9,
      kvHeads: 3,
      headDim: 64,
      hiddenSize: 576,
      vocabularySize: FIRST_WORD + this.#words.length,
      contextLength: options.contextLength ?? 2048,
      weights: 'affine-4bit/32',
    }
  }

  generate(prompt: string | readonly number[], options: GenerateOptions = {}): Generation {
    this.calls.push({ prompt, options })
    return this.#start(
      typeof prompt === 'string' ? this.tokenize(prompt).length : prompt.length,
      options,
    )
  }

  chat(messages: readonly ChatMessage[], options: ChatOptions = {}): Generation {
    this.calls.push({ prompt: messages, options })
    const text = messages.map(({ role, content }) => `${role}: ${content}\n`).join('')
    return this.#start(this.tokenize(text).length, options)
  }

  /** A code point is a token. */
  tokenize(text: string): number[] {
    return Array.from(text, (letter) => letter.codePointAt(0) ?? 0)
  }

  detokenize(ids: readonly number[]): string {
    return ids
      .map((id) =>
        id < FIRST_WORD ? String.fromCodePoint(id) : (this.#words[id - FIRST_WORD] ?? ''),
      )
      .join('')
  }

  tokenBytes(id: number): Uint8Array {
    return Buffer.from(this.detokenize([id]))
  }

  async close(): Promise<void> {
    this.closed = true
  }

  #start(promptTokens: number, options: GenerateOptions): Generation {
    const { contextLength } = this.info
    if (promptTokens >= contextLength) {
      throw new EngineError(
        'context_length',
        `The prompt has ${promptTokens} tokens, but the context holds ${contextLength}.`,
        { param: 'prompt' },
      )
    }
    const { rate = 0, prefill = 0, failAfter } = this.#options
    const limit = Math.min(options.maxTokens ?? contextLength, contextLength - promptTokens)
    const plan = {
      words: this.#words,
      firstId: FIRST_WORD,
      promptTokens,
      cachedTokens: CACHED_TOKENS,
      limit,
      rate,
      prefill,
      failAfter,
    }
    return new FakeGeneration(plan, options, this)
  }
}
