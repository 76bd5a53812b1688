/** Checks what a caller asked for and fills in defaults; every refusal names the parameter. */
import { MOST_ALTERNATIVES } from '../../kernels/sample-settings.ts'
import type { GenerateOptions, Priority } from '../api.ts'
import { EngineError } from '../errors.ts'
import { checkIds } from '../ids.ts'
import type { SamplingSpec } from './sampling.ts'

export interface Parameters {
  /** Of each choice. */
  readonly sampling: readonly SamplingSpec[]
  readonly maxTokens: number | undefined
  readonly stop: readonly string[]
  readonly stopTokenIds: readonly number[]
  readonly ignoreEos: boolean
  readonly priority: Priority
  readonly salt: string
  readonly drafts: number
  readonly timeout: number | undefined
}

const MOST_STOPS = 16
const MOST_CHOICES = 128
const MOST_BIASES = 1024
const SEEDS = 2 ** 32

function refuse(param: string, message: string): never {
  throw new EngineError('bad_request', message, { param })
}

function within(param: string, value: number, low: number, high: number, openLow = false): number {
  const ok = Number.isFinite(value) && value <= high && (openLow ? value > low : value >= low)
  if (ok) return value
  const range = `${openLow ? 'above' : 'at least'} ${low} and at most ${high}`
  return refuse(param, `${param} must be ${range}; it is ${value}.`)
}

function whole(param: string, value: number, low: number, high: number): number {
  if (Number.isInteger(value)) return within(param, value, low, high)
  return refuse(param, `${param} must be a whole number; it is ${value}.`)
}

function stopsOf(stop: readonly string[]): readonly string[] {
  if (stop.length > MOST_STOPS) {
    refuse('stop', `stop may hold at most ${MOST_STOPS} strings; it holds ${stop.length}.`)
  }
  if (stop.includes('')) refuse('stop', 'stop must not hold an empty string.')
  return stop
}

function biasOf(bias: GenerateOptions['logitBias'], vocabulary: number): [number, number][] | null {
  const entries = Object.entries(bias ?? {}).map(([id, value]): [number, number] => [
    Number(id),
    within('logitBias', value, -100, 100),
  ])
  if (entries.length > MOST_BIASES) {
    refuse(
      'logitBias',
      `logitBias may hold at most ${MOST_BIASES} ids; it holds ${entries.length}.`,
    )
  }
  checkIds(
    entries.map(([id]) => id),
    vocabulary,
    'logitBias',
  )
  return entries.length > 0 ? entries : null
}

function allowedOf(
  allowed: readonly number[] | undefined,
  vocabulary: number,
): readonly number[] | null {
  if (!allowed) return null
  if (allowed.length === 0)
    refuse('allowedTokens', 'allowedTokens is empty; allow at least one id.')
  checkIds(allowed, vocabulary, 'allowedTokens')
  return allowed
}

function logprobsOf({ logprobs, topLogprobs }: GenerateOptions): number | null {
  if (topLogprobs !== undefined && !logprobs) {
    refuse('topLogprobs', 'topLogprobs needs logprobs: true.')
  }
  return logprobs ? whole('topLogprobs', topLogprobs ?? 0, 0, MOST_ALTERNATIVES) : null
}

/** Below the least that logits can be divided by, it is greedy. */
const LEAST_TEMPERATURE = 1e-5

function temperatureOf(asked: number): number {
  const temperature = within('temperature', asked, 0, 2)
  return temperature < LEAST_TEMPERATURE ? 0 : temperature
}

function samplingOf(options: GenerateOptions, vocabulary: number, seed: number): SamplingSpec {
  const bias = biasOf(options.logitBias, vocabulary)
  const allowed = allowedOf(options.allowedTokens, vocabulary)
  return {
    settings: {
      temperature: temperatureOf(options.temperature ?? 1),
      topK: Math.min(vocabulary, whole('topK', options.topK ?? 0, 0, 2 ** 31)),
      topP: within('topP', options.topP ?? 1, 0, 1, true),
      minP: within('minP', options.minP ?? 0, 0, 1),
      typicalP: within('typicalP', options.typicalP ?? 1, 0, 1, true),
      repetition: within('repetitionPenalty', options.repetitionPenalty ?? 1, 0, 10, true),
      presence: within('presencePenalty', options.presencePenalty ?? 0, -2, 2),
      frequency: within('frequencyPenalty', options.frequencyPenalty ?? 0, -2, 2),
      seed,
      biased: bias !== null,
      masked: allowed !== null,
    },
    bias,
    allowed,
    logprobs: logprobsOf(options),
  }
}

/** Of choice `index`: the caller's own for the first, so that it is the answer that n = 1 gives. */
const seedOf = (seed: number, index: number): number => (seed + index * 0x9e3779b1) % SEEDS

/** Throws EngineError('bad_request'). `vocabulary` bounds ids and top-k, `drafts` what may be drafted ahead. */
export function checkParameters(
  options: GenerateOptions,
  vocabulary: number,
  drafts: number,
): Parameters {
  const seed = whole('seed', options.seed ?? Math.floor(Math.random() * SEEDS), 0, SEEDS - 1)
  const choices = whole('n', options.n ?? 1, 1, MOST_CHOICES)
  const { priority = 'interactive', timeout, maxTokens } = options
  if (priority !== 'interactive' && priority !== 'batch') {
    refuse('priority', `priority must be 'interactive' or 'batch'; it is ${String(priority)}.`)
  }
  return {
    sampling: Array.from({ length: choices }, (_, index) =>
      samplingOf(options, vocabulary, seedOf(seed, index)),
    ),
    maxTokens:
      maxTokens === undefined
        ? undefined
        : whole('maxTokens', maxTokens, 1, Number.MAX_SAFE_INTEGER),
    stop: stopsOf(options.stop ?? []),
    stopTokenIds: (options.stopTokenIds ?? []).map((id) =>
      whole('stopTokenIds', id, 0, vocabulary - 1),
    ),
    ignoreEos: options.ignoreEos ?? false,
    priority,
    salt: options.cacheSalt ?? '',
    drafts: Math.min(drafts, whole('speculate', options.speculate ?? drafts, 0, 16)),
    timeout: timeout === undefined ? undefined : whole('timeout', timeout, 1, 2 ** 31 - 1),
  }
}
