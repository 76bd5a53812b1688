/** One answer under way: ids come in from the loop, whole characters go out to whoever iterates. */
import type { Chunk, FinishReason, GenerateResult, Generation, Usage } from './api.ts'
import { EngineError } from './errors.ts'

/** Ids to text as they arrive: a detokenizer, as far as an answer sees it. */
export interface TextStream {
  push(id: number): string
  /** The stop string that was met. */
  readonly stopped: string | null
  finish(): string
}

/** What an answer needs from the engine. */
export interface GenerationHost {
  /** Admits the request. May throw EngineError. */
  start(generation: TextGeneration): void
  /** Ends it: a stop string was met, or the caller left. */
  end(generation: TextGeneration, ending: 'stop' | 'aborted'): void
}

export class TextGeneration implements Generation {
  readonly #host: GenerationHost
  readonly #detokenizer: TextStream | null
  readonly #promptTokens: number
  readonly #signal: AbortSignal | undefined
  readonly #result: Promise<GenerateResult>
  #resolve: (result: GenerateResult) => void = () => undefined
  #reject: (error: EngineError) => void = () => undefined
  readonly #ids: number[] = []
  readonly #chunks: Chunk[] = []
  #fresh: number[] = []
  #text = ''
  #started: number | null = null
  #firstToken = 0
  #error: EngineError | null = null
  #ended = false
  #iterated = false
  #wake: (() => void) | null = null

  constructor(
    host: GenerationHost,
    detokenizer: TextStream | null,
    promptTokens: number,
    signal: AbortSignal | undefined,
  ) {
    this.#host = host
    this.#detokenizer = detokenizer
    this.#promptTokens = promptTokens
    this.#signal = signal
    this.#result = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // Whoever only iterates hears of an error there.
    this.#result.catch(() => undefined)
  }

  result(): Promise<GenerateResult> {
    this.#start()
    return this.#result
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Chunk, void, undefined> {
    this.#iterated = true
    this.#start()
    try {
      for (;;) {
        const chunk = this.#chunks.shift()
        if (chunk) yield chunk
        else if (this.#error) throw this.#error
        else if (this.#ended) return
        else await new Promise<void>((resolve) => (this.#wake = resolve))
      }
    } finally {
      if (!this.#ended) this.#abort()
    }
  }

  #start(): void {
    if (this.#started !== null) return
    this.#started = performance.now()
    if (this.#signal?.aborted) {
      this.#abort()
      return
    }
    this.#signal?.addEventListener('abort', this.#abort)
    try {
      this.#host.start(this)
    } catch (error) {
      this.fail(error as EngineError)
    }
  }

  readonly #abort = (): void => {
    this.fail(new EngineError('aborted', 'The request was cancelled.'))
    this.#host.end(this, 'aborted')
  }

  /** Takes an id that was chosen and kept. */
  push(id: number): void {
    if (this.#ended || this.#error) return
    if (this.#ids.length === 0) this.#firstToken = performance.now() - (this.#started ?? 0)
    this.#ids.push(id)
    this.#fresh.push(id)
    const text = this.#detokenizer?.push(id) ?? ''
    if (this.#detokenizer?.stopped != null) {
      this.#emit(text, null)
      this.#host.end(this, 'stop')
      return
    }
    this.#emit(text, null)
  }

  /** The answer is complete. */
  finish(reason: FinishReason): void {
    if (this.#ended || this.#error) return
    this.#detach()
    const rest = this.#detokenizer?.finish() ?? ''
    const ending: FinishReason = this.#detokenizer?.stopped != null ? 'stop' : reason
    this.#ended = true
    this.#emit(rest, ending)
    const total = performance.now() - (this.#started ?? 0)
    const after = total - this.#firstToken
    this.#resolve({
      text: this.#text,
      ids: this.#ids,
      finishReason: ending,
      usage: this.#usage(),
      timings: {
        firstToken: this.#firstToken,
        total,
        tokensPerSecond:
          this.#ids.length > 1 && after > 0 ? ((this.#ids.length - 1) / after) * 1000 : 0,
      },
    })
  }

  /** The answer cannot go on. */
  fail(error: EngineError): void {
    if (this.#ended || this.#error) return
    this.#detach()
    this.#error = error
    this.#reject(error)
    this.#wake?.()
  }

  #detach(): void {
    this.#signal?.removeEventListener('abort', this.#abort)
  }

  #usage(): Usage {
    const completionTokens = this.#ids.length
    return {
      promptTokens: this.#promptTokens,
      completionTokens,
      totalTokens: this.#promptTokens + completionTokens,
    }
  }

  #emit(text: string, finishReason: FinishReason | null): void {
    this.#text += text
    // Without a tokenizer every id is a chunk; with one, a chunk has text or ends the answer.
    if (this.#detokenizer && text === '' && finishReason === null) return
    const ids = this.#fresh
    this.#fresh = []
    if (this.#iterated) {
      this.#chunks.push({
        text,
        ids,
        tokens: this.#ids.length,
        finishReason,
        usage: finishReason ? this.#usage() : null,
      })
    }
    this.#wake?.()
    this.#wake = null
  }
}
