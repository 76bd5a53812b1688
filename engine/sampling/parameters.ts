/** Checks what a caller asked for and fills in defaults; every refusal names the parameter. */
import type { SampleSettings } from '../../kernels/index.ts'
import type { GenerateOptions } from '../api.ts'
import { EngineError } from '../errors.ts'

export interface Parameters {
  readonly settings: SampleSettings
  readonly maxTokens: number | undefined
  readonly stop: readonly string[]
  readonly stopTokenIds: readonly number[]
  readonly ignoreEos: boolean
}

const MOST_STOPS = 16

function within(param: string, value: number, low: number, high: number, openLow = false): number {
  const ok = Number.isFinite(value) && value <= high && (openLow ? value > low : value >= low)
  if (ok) return value
  const range = `${openLow ? 'above' : 'at least'} ${low} and at most ${high}`
  throw new EngineError('bad_request', `${param} must be ${range}; it is ${value}.`, { param })
}

function whole(param: string, value: number, low: number, high: number): number {
  if (Number.isInteger(value)) return within(param, value, low, high)
  throw new EngineError('bad_request', `${param} must be a whole number; it is ${value}.`, {
    param,
  })
}

function stopsOf(stop: readonly string[]): readonly string[] {
  if (stop.length > MOST_STOPS) {
    const message = `stop may hold at most ${MOST_STOPS} strings; it holds ${stop.length}.`
    throw new EngineError('bad_request', message, { param: 'stop' })
  }
  if (stop.includes('')) {
    throw new EngineError('bad_request', 'stop must not hold an empty string.', { param: 'stop' })
  }
  return stop
}

/** Throws EngineError('bad_request'). `vocabulary` bounds ids and top-k. */
export function checkParameters(options: GenerateOptions, vocabulary: number): Parameters {
  const drawn = (): number => Math.floor(Math.random() * 2 ** 32)
  return {
    settings: {
      temperature: within('temperature', options.temperature ?? 1, 0, 2),
      topK: Math.min(vocabulary, whole('topK', options.topK ?? 0, 0, 2 ** 31)),
      topP: within('topP', options.topP ?? 1, 0, 1, true),
      minP: within('minP', options.minP ?? 0, 0, 1),
      repetition: within('repetitionPenalty', options.repetitionPenalty ?? 1, 0, 10, true),
      presence: within('presencePenalty', options.presencePenalty ?? 0, -2, 2),
      frequency: within('frequencyPenalty', options.frequencyPenalty ?? 0, -2, 2),
      seed: whole('seed', options.seed ?? drawn(), 0, 2 ** 32 - 1),
    },
    maxTokens:
      options.maxTokens === undefined
        ? undefined
        : whole('maxTokens', options.maxTokens, 1, Number.MAX_SAFE_INTEGER),
    stop: stopsOf(options.stop ?? []),
    stopTokenIds: (options.stopTokenIds ?? []).map((id) =>
      whole('stopTokenIds', id, 0, vocabulary - 1),
    ),
    ignoreEos: options.ignoreEos ?? false,
  }
}
