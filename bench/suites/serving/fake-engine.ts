/**
 * For tests of the serving suite: an engine without a model. Ids depend on the tokens before them alone, prefixes are found
 * under their salt, answers run side by side a token at a turn, and a test may spoil what comes.
 */
import { setImmediate as turn } from 'node:timers/promises'
import type {
  ChatMessage,
  Chunk,
  EngineStats,
  GenerateOptions,
  GenerateResult,
  Generation,
} from '../../../engine/index.ts'
import type { ServingEngine } from './scenario.ts'

/** What is known of an answer when one of its ids is chosen. */
export interface Occasion {
  readonly prompt: readonly number[]
  /** Tokens found in the cache. */
  readonly cached: number
  /** Answers under way, this one included. */
  readonly running: number
  readonly options: GenerateOptions
}

export interface FakeOptions {
  readonly weights?: string
  readonly path?: string
  /** True: the id is another one than it should be. */
  readonly spoils?: (occasion: Occasion) => boolean
  /** Steps that a token counts for; few make steps long. */
  readonly steps?: number
  readonly drafted?: number
}

const FIRST = 97
const LETTERS = 26

export class FakeEngine implements ServingEngine {
  readonly info
  readonly #options: FakeOptions
  readonly #seen = new Map<string, (readonly number[])[]>()
  #running = 0
  #tokens = 0
  #drafted = 0
  closed = 0

  constructor(options: FakeOptions = {}) {
    this.#options = options
    const { weights = 'affine-4bit/32', path = '/nowhere' } = options
    const info = { id: 'fake', path, weights, vocabularySize: 128, contextLength: 4096 }
    this.info = info as ServingEngine['info']
  }

  get stats(): EngineStats {
    const { steps = 1 } = this.#options
    const stats = {
      adapter: { name: 'stand-in', vendor: '', kind: 'software' },
      steps: this.#tokens * steps,
      loop: { active: this.#tokens, idle: 3 * this.#tokens },
      speculation: { drafted: this.#drafted, accepted: this.#drafted / 2 },
    }
    return stats as unknown as EngineStats
  }

  /** A letter is a token. */
  tokenize(text: string): number[] {
    return [...text].map((letter) => letter.charCodeAt(0) % 128)
  }

  chat(messages: readonly ChatMessage[], options: GenerateOptions = {}): Generation {
    const mark = (role: string): number => (role === 'user' ? 1 : 2)
    const ids = messages.flatMap(({ role, content }) => [mark(role), ...this.tokenize(content)])
    return this.generate([...ids, mark('assistant')], options)
  }

  generate(prompt: string | readonly number[], options: GenerateOptions = {}): Generation {
    const ids = typeof prompt === 'string' ? this.tokenize(prompt) : prompt
    return {
      promptTokens: ids.length,
      mostTokens: options.maxTokens ?? 2000,
      [Symbol.asyncIterator]: () => this.#answer(ids, options),
      result: async () => {
        const start = performance.now()
        let firstToken = 0
        const found: number[] = []
        let usage: GenerateResult['usage'] | null = null
        for await (const chunk of this.#answer(ids, options)) {
          if (found.length === 0) firstToken = performance.now() - start
          found.push(...chunk.ids)
          usage = chunk.usage
        }
        const total = performance.now() - start
        const timings = { firstToken, total, tokensPerSecond: found.length / total }
        const text = String.fromCharCode(...found)
        return { ids: found, text, usage, timings } as unknown as GenerateResult
      },
    }
  }

  async close(): Promise<void> {
    this.closed++
  }

  async *#answer(prompt: readonly number[], options: GenerateOptions): AsyncGenerator<Chunk, void> {
    const { maxTokens = 2000, cacheSalt = '', speculate = 0 } = options
    const cached = this.#find(prompt, cacheSalt)
    const tokens = [...prompt]
    this.#running++
    try {
      for (let count = 1; count <= maxTokens; count++) {
        await turn()
        const occasion = { prompt, cached, running: this.#running, options }
        const id = nextOf(tokens) + (this.#options.spoils?.(occasion) ? 1 : 0)
        tokens.push(id)
        this.#tokens++
        if (speculate > 0) this.#drafted += this.#options.drafted ?? 2
        const usage = { promptTokens: prompt.length, cachedTokens: cached, completionTokens: count }
        yield { ids: [id], usage } as unknown as Chunk
      }
    } finally {
      this.#running--
      this.#seen.set(cacheSalt, [...(this.#seen.get(cacheSalt) ?? []), tokens])
    }
  }

  /** The last token is always computed. */
  #find(prompt: readonly number[], salt: string): number {
    const lengths = (this.#seen.get(salt) ?? []).map((tokens) => {
      const at = prompt.findIndex((id, i) => tokens[i] !== id)
      return at < 0 ? prompt.length : at
    })
    return Math.min(prompt.length - 1, Math.max(0, ...lengths))
  }
}

const nextOf = (tokens: readonly number[]): number =>
  FIRST + (tokens.slice(-64).reduce((sum, id, i) => (sum * 31 + id * (i + 1)) % 9973, 7) % LETTERS)
