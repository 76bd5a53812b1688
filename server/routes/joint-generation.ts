/**
 * Several prompts answered as one: their generations run side by side, their choices are numbered through in the order
 * of the prompts, and there is one count of tokens. To a job it is a generation like any other.
 */
import type { Chunk, GenerateResult, Generation, Usage } from '../../engine/api.ts'

/** A part's next chunk, or its end. */
type Arrival =
  | { readonly part: number; readonly step: IteratorResult<Chunk> }
  | { readonly error: unknown }

export class JointGeneration implements Generation {
  readonly #parts: readonly Generation[]
  /** Of each part. */
  readonly #choices: number
  #chunks: AsyncGenerator<Chunk, void> | null = null

  /**
   * @param parts one a prompt, none of them begun
   * @param choices how many answers each part gives
   */
  constructor(parts: readonly Generation[], choices: number) {
    this.#parts = parts
    this.#choices = choices
  }

  get promptTokens(): number {
    return this.#parts.reduce((sum, { promptTokens }) => sum + promptTokens, 0)
  }

  get mostTokens(): number {
    return this.#parts.reduce((sum, { mostTokens }) => sum + mostTokens, 0)
  }

  /** Leaving it, or an error of one part, ends all parts. */
  [Symbol.asyncIterator](): AsyncGenerator<Chunk, void> {
    this.#chunks ??= this.#merge()
    return this.#chunks
  }

  async result(): Promise<GenerateResult> {
    // Through the chunks, so that an error of one part ends the others.
    if (this.#chunks === null) for await (const _ of this);
    const results = await Promise.all(this.#parts.map((part) => part.result()))
    const [first] = results
    if (!first) throw new TypeError('A joint generation has at least one part.')
    const usage = sumOf(results.map((result) => result.usage))
    const firstToken = Math.min(...results.map(({ timings }) => timings.firstToken))
    const total = Math.max(...results.map(({ timings }) => timings.total))
    const after = total - firstToken
    const { completionTokens } = usage
    return {
      ...first,
      choices: results.flatMap(({ choices }, part) =>
        choices.map((choice) => ({ ...choice, index: this.#indexOf(part, choice.index) })),
      ),
      usage,
      timings: {
        firstToken,
        total,
        tokensPerSecond: after > 0 ? ((completionTokens - 1) / after) * 1000 : 0,
      },
    }
  }

  /** Chunks of all parts as they come; each part is asked for its next only when its last one was taken. */
  async *#merge(): AsyncGenerator<Chunk, void> {
    const sources = this.#parts.map((part) => part[Symbol.asyncIterator]())
    const arrived: Arrival[] = []
    let wake = () => {}
    const arrive = (arrival: Arrival) => {
      arrived.push(arrival)
      wake()
    }
    const ask = (part: number) => {
      sources[part]?.next().then(
        (step) => arrive({ part, step }),
        (error: unknown) => arrive({ error }),
      )
    }
    const usages: Usage[] = []
    let open = sources.length
    try {
      for (const part of sources.keys()) ask(part)
      while (open > 0) {
        const arrival = arrived.shift()
        if (!arrival) await new Promise<void>((resolve) => (wake = resolve))
        else if ('error' in arrival) throw arrival.error
        else if (arrival.step.done) open--
        else {
          const { part, step } = arrival
          yield this.#renumbered(part, step.value, usages)
          ask(part)
        }
      }
    } finally {
      // Whoever is left hears no errors any more.
      for (const source of sources) source.return?.().catch(() => undefined)
    }
  }

  /** Only the very last chunk has the usage: that of all parts. */
  #renumbered(part: number, chunk: Chunk, usages: Usage[]): Chunk {
    if (chunk.usage) usages.push(chunk.usage)
    const isLast = chunk.usage !== null && usages.length === this.#parts.length
    return {
      ...chunk,
      index: this.#indexOf(part, chunk.index),
      usage: isLast ? sumOf(usages) : null,
    }
  }

  #indexOf(part: number, choice: number): number {
    return part * this.#choices + choice
  }
}

function sumOf(usages: readonly Usage[]): Usage {
  const sum = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, totalTokens: 0 }
  for (const usage of usages) {
    sum.promptTokens += usage.promptTokens
    sum.cachedTokens += usage.cachedTokens
    sum.completionTokens += usage.completionTokens
    sum.totalTokens += usage.totalTokens
  }
  return sum
}
