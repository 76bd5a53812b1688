/**
 * An answer of the fake engine: at every step each choice gets its next word. Choice 0 says the words in order, choice 1
 * begins with the second, and so on, so that mixed-up choices show. A made-up logit stands behind every word, so that
 * biases and log-probabilities have something to act on.
 */
import type {
  Choice,
  Chunk,
  FinishReason,
  GenerateOptions,
  GenerateResult,
  Generation,
  TokenLogprob,
  Usage,
} from '../engine/api.ts'
import { EngineError } from '../engine/errors.ts'

/** What the engine lays down for an answer. */
export interface FakePlan {
  readonly words: readonly string[]
  /** Id of the first word; the others follow. */
  readonly firstId: number
  readonly promptTokens: number
  readonly cachedTokens: number
  /** Most tokens of a choice. */
  readonly limit: number
  /** Steps a second; 0 is as fast as the loop turns. */
  readonly rate: number
  /** Milliseconds before the first step. */
  readonly prefill: number
  /** Thrown after so many steps. */
  readonly failAfter: { tokens: number; error: Error } | undefined
}

/** What the engine counts. */
export interface FakeCounts {
  tokens: number
  aborted: number
  readonly stats: { running: number; steps: number }
}

const cancelled = (): EngineError => new EngineError('aborted', 'The request was cancelled.')

export class FakeGeneration implements Generation {
  readonly promptTokens: number
  readonly mostTokens: number
  readonly #plan: FakePlan
  readonly #options: GenerateOptions
  readonly #counts: FakeCounts
  readonly #choices: FakeChoice[]
  readonly #chunks: AsyncGenerator<Chunk, void>
  readonly #started = performance.now()
  /** Ends the pause under way. */
  #interrupt: (() => void) | null = null

  constructor(plan: FakePlan, options: GenerateOptions, counts: FakeCounts) {
    this.#plan = plan
    this.#options = options
    this.#counts = counts
    const { n = 1 } = options
    this.promptTokens = plan.promptTokens
    this.mostTokens = plan.limit * n
    this.#choices = Array.from({ length: n }, (_, index) => new FakeChoice(index, plan, options))
    this.#chunks = this.#run()
  }

  [Symbol.asyncIterator](): AsyncGenerator<Chunk, void> {
    return this.#chunks
  }

  /** Runs what nobody has iterated yet. */
  async result(): Promise<GenerateResult> {
    for await (const _ of this.#chunks);
    const choices = this.#choices.map((choice) => choice.whole())
    const { index: _, ...rest } = choices[0] as Choice
    const total = performance.now() - this.#started
    const timings = { firstToken: total / 2, total, tokensPerSecond: 100 }
    return { ...rest, choices, usage: this.#usage(), timings }
  }

  async *#run(): AsyncGenerator<Chunk, void> {
    const { rate, prefill, failAfter } = this.#plan
    const { stats } = this.#counts
    const { signal } = this.#options
    const interrupt = () => this.#interrupt?.()
    stats.running += this.#choices.length
    signal?.addEventListener('abort', interrupt)
    try {
      await this.#pause(prefill)
      for (let steps = 0; this.#choices.some(({ isOver }) => !isOver); steps++) {
        if (failAfter && steps >= failAfter.tokens) throw failAfter.error
        await this.#pause(rate ? 1000 / rate : 0)
        stats.steps++
        // Not `yield*`, which costs a promise more for each: what is measured over this engine should not be the engine.
        for (const chunk of this.#step()) yield chunk
      }
    } finally {
      signal?.removeEventListener('abort', interrupt)
      stats.running -= this.#choices.length
      const isOver = this.#choices.every((choice) => choice.isOver)
      if (!isOver && signal?.aborted) this.#counts.aborted++
    }
  }

  *#step(): Generator<Chunk, void> {
    for (const choice of this.#choices) {
      if (choice.isOver) continue
      if (this.#options.signal?.aborted) throw cancelled()
      this.#counts.tokens++
      const piece = choice.next()
      const isLast = this.#choices.every(({ isOver }) => isOver)
      yield { ...piece, usage: isLast ? this.#usage() : null }
    }
  }

  #usage(): Usage {
    const { promptTokens, cachedTokens } = this.#plan
    const completionTokens = this.#choices.reduce((sum, { ids }) => sum + ids.length, 0)
    return {
      promptTokens,
      cachedTokens,
      completionTokens,
      totalTokens: promptTokens + completionTokens,
    }
  }

  /** Waits (at least one turn of the loop), and rejects as soon as the signal fires. */
  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, milliseconds)
      this.#interrupt = () => {
        clearTimeout(timer)
        reject(cancelled())
      }
      if (this.#options.signal?.aborted) this.#interrupt()
    })
  }
}

class FakeChoice {
  readonly index: number
  readonly ids: number[] = []
  readonly #plan: FakePlan
  readonly #options: GenerateOptions
  readonly #logprobs: TokenLogprob[] | null
  /** Tokens that are part of the text; absent: all. */
  #told: number | undefined
  #reason: FinishReason | null = null

  constructor(index: number, plan: FakePlan, options: GenerateOptions) {
    this.index = index
    this.#plan = plan
    this.#options = options
    this.#logprobs = options.logprobs ? [] : null
  }

  get isOver(): boolean {
    return this.#reason !== null
  }

  next(): Omit<Chunk, 'usage'> {
    const { words, firstId, limit } = this.#plan
    const { stop = [], stopTokenIds = [], ignoreEos = false } = this.#options
    const wanted = (this.index + this.ids.length) % words.length
    const chosen = this.#choose(wanted)
    const id = firstId + chosen
    const word = words[chosen] ?? ''
    this.ids.push(id)
    const stopped = stopTokenIds.includes(id) || stop.some((text) => word.includes(text))
    const over = !ignoreEos && this.ids.length >= words.length
    this.#reason = stopped || over ? 'stop' : this.ids.length >= limit ? 'length' : null
    if (stopped) this.#told = this.ids.length - 1
    const logprob = this.#logprobs && this.#logprobOf(wanted, chosen)
    if (logprob) this.#logprobs?.push(logprob)
    return {
      index: this.index,
      text: stopped ? '' : word,
      ids: [id],
      logprobs: logprob && [logprob],
      tokens: this.ids.length,
      finishReason: this.#reason,
    }
  }

  whole(): Choice {
    if (this.#reason === null) throw new EngineError('closed', 'The generation was left early.')
    const { words, firstId } = this.#plan
    const { index, ids } = this
    // Put together here: texts kept for the end would be most of what a thousand streams hold.
    const told = ids.slice(0, this.#told).map((id) => words[id - firstId] ?? '')
    const finishReason = this.#reason
    return { index, text: told.join(''), ids, logprobs: this.#logprobs, finishReason }
  }

  /** The likeliest word once biases are added. */
  #choose(wanted: number): number {
    const { logitBias } = this.#options
    if (!logitBias) return wanted
    const { words, firstId } = this.#plan
    const biased = words.map((_, at) => logitOf(at, wanted) + (logitBias[firstId + at] ?? 0))
    return biased.indexOf(Math.max(...biased))
  }

  /** As the real engine tells them: before biases. */
  #logprobOf(wanted: number, chosen: number): TokenLogprob {
    const { words, firstId } = this.#plan
    const logits = words.map((_, at) => logitOf(at, wanted))
    const norm = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0))
    const told = logits.map((logit, at) => ({ id: firstId + at, logprob: logit - norm }))
    const { logprob } = told[chosen] ?? { logprob: 0 }
    const top = [...told].sort((a, b) => b.logprob - a.logprob)
    return {
      id: firstId + chosen,
      logprob,
      top: top.slice(0, this.#options.topLogprobs ?? 0),
    }
  }
}

/** The word whose turn it is leads, the others follow in their order. */
const logitOf = (word: number, wanted: number): number => (word === wanted ? 4 : 1 / (1 + word))
