/**
 * An engine without a model, for tests of everything around one: it continues any prompt with the same words at a rate
 * one can set, honours stop strings, limits and the signal, and counts what it was asked to do.
 */
import type {
  ChatMessage,
  Chunk,
  FinishReason,
  GenerateOptions,
  GenerateResult,
  Generation,
} from '../engine/api.ts'
import { EngineError } from '../engine/errors.ts'
import type { ServedEngine } from './contract/served-engine.ts'

export interface FakeOptions {
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

/** Prompt tokens that every answer claims to have found in the cache. */
export const CACHED_TOKENS = 3

const WORDS = ['Once', ' upon', ' a', ' time', ' there', ' was', ' a', ' lamp', ' 💡', '.']

/** See the file's header. `tokens` counts what was decoded; `calls` what was asked. */
export class FakeEngine implements ServedEngine {
  readonly info
  readonly stats = {
    adapter: { name: 'Fake adapter', vendor: 'nobody', kind: 'software' as const },
    memory: { total: 131_200_000, byPurpose: { weights: 100_000_000, kv: 31_200_000 } },
    running: 0,
    queued: 0,
    pages: { free: 60, cached: 4, inUse: 0, total: 64 },
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
  readonly calls: { prompt: unknown; options: GenerateOptions }[] = []
  readonly #options: FakeOptions

  constructor(options: FakeOptions = {}) {
    this.#options = options
    this.defaults = options.defaults ?? {}
    this.info = {
      id: 'fake/tiny-1',
      path: '/models/fake',
      architecture: 'LlamaForCausalLM',
      family: 'llama',
      parameters: 134_515_008,
      layers: 30,
      heads: 9,
      kvHeads: 3,
      headDim: 64,
      hiddenSize: 576,
      vocabularySize: 0x10ffff + 1,
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

  chat(messages: readonly ChatMessage[], options: GenerateOptions = {}): Generation {
    this.calls.push({ prompt: messages, options })
    const text = messages.map(({ role, content }) => `${role}: ${content}\n`).join('')
    return this.#start(this.tokenize(text).length, options)
  }

  /** A code point is a token. */
  tokenize(text: string): number[] {
    return Array.from(text, (letter) => letter.codePointAt(0) ?? 0)
  }

  detokenize(ids: readonly number[]): string {
    return ids.map((id) => String.fromCodePoint(id)).join('')
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
    const chunks = this.#run(promptTokens, options)
    const seen: Chunk[] = []
    const watched = watch(chunks, seen)
    return {
      promptTokens,
      mostTokens: Math.min(options.maxTokens ?? contextLength, contextLength - promptTokens),
      [Symbol.asyncIterator]: () => watched,
      result: () => collect(watched, seen),
    }
  }

  async *#run(promptTokens: number, options: GenerateOptions): AsyncGenerator<Chunk, void> {
    const { words = WORDS, rate, prefill = 0, failAfter } = this.#options
    const limit = Math.min(options.maxTokens ?? Infinity, this.info.contextLength - promptTokens)
    this.stats.running++
    try {
      await this.#pause(prefill, options.signal)
      for (let made = 0; ; ) {
        if (failAfter && made >= failAfter.tokens) throw failAfter.error
        const word = words[made % words.length] ?? ''
        await this.#pause(rate ? 1000 / rate : 0, options.signal)
        this.tokens++
        made++
        const stop = options.stop?.some((text) => word.includes(text)) ?? false
        const over = !options.ignoreEos && made >= words.length
        const reason: FinishReason | null = stop || over ? 'stop' : made >= limit ? 'length' : null
        yield chunkOf(stop ? '' : word, made, promptTokens, reason)
        if (reason) return
      }
    } finally {
      this.stats.running--
    }
  }

  /** Waits (at least one turn of the loop), and rejects as soon as the signal fires. */
  #pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = () => {
        clearTimeout(timer)
        this.aborted++
        reject(new EngineError('aborted', 'The request was cancelled.'))
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', abort)
        resolve()
      }, milliseconds)
      if (signal?.aborted) abort()
      else signal?.addEventListener('abort', abort, { once: true })
    })
  }
}

function chunkOf(
  text: string,
  made: number,
  promptTokens: number,
  finishReason: FinishReason | null,
): Chunk {
  const usage = {
    promptTokens,
    cachedTokens: CACHED_TOKENS,
    completionTokens: made,
    totalTokens: promptTokens + made,
  }
  return {
    index: 0,
    text,
    ids: [made],
    logprobs: null,
    tokens: made,
    finishReason,
    usage: finishReason ? usage : null,
  }
}

async function* watch(chunks: AsyncIterable<Chunk>, seen: Chunk[]): AsyncGenerator<Chunk, void> {
  for await (const chunk of chunks) {
    seen.push(chunk)
    yield chunk
  }
}

/** Reads what is left; the result of all that was seen. */
async function collect(rest: AsyncIterable<Chunk>, seen: Chunk[]): Promise<GenerateResult> {
  const started = performance.now()
  let text = ''
  const ids: number[] = []
  for await (const _ of rest);
  for (const chunk of seen) {
    text += chunk.text
    ids.push(...chunk.ids)
    if (chunk.finishReason && chunk.usage) {
      const total = performance.now() - started
      const timings = { firstToken: total / ids.length, total, tokensPerSecond: 100 }
      const first = { text, ids, logprobs: null, finishReason: chunk.finishReason }
      return { ...first, choices: [{ index: 0, ...first }], usage: chunk.usage, timings }
    }
  }
  throw new EngineError('closed', 'The generation ended without a last chunk.')
}
