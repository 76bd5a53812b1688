/**
 * Everything `/metrics` tells, in a registry of its own. Requests and answers are counted as they end; all else is read
 * when somebody scrapes. Labels take few values: paths as the routes spell them, and codes of the error table.
 */
import { Counter, Histogram, Registry } from 'prom-client'
import type { Lifecycle } from '../lifecycle.ts'
import type { Answered } from './answered.ts'
import { addEngineMetrics } from './engine-metrics.ts'
import { addModelMetrics } from './model-metrics.ts'
import { addProcessMetrics } from './process-metrics.ts'
import type { Requested } from './requested.ts'

const BUCKETS = {
  firstToken: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300],
  betweenTokens: [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2.5],
  total: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640],
}

interface Declared {
  name: string
  type: string
  help: string
  labelNames: readonly string[]
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
const WHOSE = ['endpoint', 'model'] as const

export class Metrics {
  readonly #registry = new Registry()
  readonly #requests
  readonly #answers
  readonly #tokens
  readonly #firstToken
  readonly #betweenTokens
  readonly #total

  constructor(lifecycle: Lifecycle) {
    const registers = [this.#registry]
    this.#requests = new Counter({
      name: 'illuminator_http_requests_total',
      help: 'HTTP requests that were answered, by path, method and status; an endpoint "none" is no path of ours, or no request that could be read',
      labelNames: ['endpoint', 'method', 'status'],
      registers,
    })
    this.#answers = new Counter({
      name: 'illuminator_answers_total',
      help: 'Requests that reached the engine, by what became of them; code is that of the error',
      labelNames: [...WHOSE, 'outcome', 'code'],
      registers,
    })
    const tokens = (name: string, help: string) =>
      new Counter({ name: `illuminator_${name}_tokens_total`, help, labelNames: WHOSE, registers })
    this.#tokens = {
      prompt: tokens('prompt', 'Tokens of prompts that were computed or found in the cache'),
      cached: tokens(
        'cached',
        'Those of them that were found in the cache, of answers that ended by themselves',
      ),
      completion: tokens('completion', 'Tokens handed to responses'),
    }
    const seconds = (name: string, help: string, buckets: number[]) =>
      new Histogram({
        name: `illuminator_${name}_seconds`,
        help,
        labelNames: WHOSE,
        buckets,
        registers,
      })
    this.#firstToken = seconds(
      'time_to_first_token',
      'From admission to the first token',
      BUCKETS.firstToken,
    )
    this.#betweenTokens = seconds(
      'inter_token_latency',
      'Mean time between the tokens of an answer after its first, all choices together',
      BUCKETS.betweenTokens,
    )
    this.#total = seconds(
      'answer_duration',
      'From admission to the end of an answer',
      BUCKETS.total,
    )
    addEngineMetrics(this.#registry, () => lifecycle.models.engines)
    addModelMetrics(this.#registry, () => lifecycle.models.all)
    addProcessMetrics(this.#registry, lifecycle)
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** All of it, in Prometheus' text format. */
  expose(): Promise<string> {
    return this.#registry.metrics()
  }

  /** What there is, for the documentation. */
  list(): { name: string; type: string; help: string; labels: readonly string[] }[] {
    // Its types leave out the labels.
    const all = this.#registry.getMetricsAsArray() as unknown as Declared[]
    return all.map(({ name, type, help, labelNames }) => ({ name, type, help, labels: labelNames }))
  }

  readonly requested = ({ endpoint, method, status }: Requested): void => {
    this.#requests.inc({
      endpoint: endpoint ?? 'none',
      // Clients may invent methods without end.
      method: METHODS.has(method) ? method : 'other',
      status: String(status),
    })
  }

  readonly answered = (answered: Answered): void => {
    const { endpoint, model, outcome, code, firstToken, total, completionTokens } = answered
    const whose = { endpoint, model }
    this.#answers.inc({ ...whose, outcome, code: code ?? '' })
    this.#tokens.prompt.inc(whose, answered.promptTokens)
    this.#tokens.cached.inc(whose, answered.cachedTokens)
    this.#tokens.completion.inc(whose, completionTokens)
    this.#total.observe(whose, total / 1000)
    if (firstToken === null) return
    this.#firstToken.observe(whose, firstToken / 1000)
    if (completionTokens < 2) return
    this.#betweenTokens.observe(whose, (total - firstToken) / 1000 / (completionTokens - 1))
  }
}
