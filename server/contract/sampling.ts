/**
 * From the wire's sampling fields to the engine's options, with each dialect's defaults: the contract's own at the root
 * paths; under `/v1` OpenAI's, or what the model's `generation_config.json` says.
 */
import type { GenerateOptions } from '../../engine/api.ts'
import type { Dialect } from './dialect.ts'
import { ApiError } from './errors.ts'

/** What the contract promises when a field is absent (root paths). */
export const CONTRACT_DEFAULTS = {
  maxTokens: 100,
  temperature: 0.7,
  topP: 0.9,
  topK: 50,
  repetitionPenalty: 1,
} as const satisfies GenerateOptions

const OPENAI_DEFAULTS = { temperature: 1, topP: 1 } as const satisfies GenerateOptions

export interface WireSampling {
  max_tokens?: number | null | undefined
  temperature?: number | null | undefined
  top_p?: number | null | undefined
  top_k?: number | null | undefined
  min_p?: number | null | undefined
  repetition_penalty?: number | null | undefined
  presence_penalty?: number | null | undefined
  frequency_penalty?: number | null | undefined
  seed?: number | null | undefined
  stop_token_ids?: number[] | null | undefined
  ignore_eos?: boolean | null | undefined
  typical_p?: number | null | undefined
  logit_bias?: Record<string, number> | null | undefined
  n?: number | null | undefined
  logprobs?: boolean | null | undefined
  top_logprobs?: number | null | undefined
  priority?: 'interactive' | 'batch' | null | undefined
  cache_salt?: string | null | undefined
}

/** An object without the members that are absent; `null` on the wire means absent. */
function present<T extends object>(members: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const entries = Object.entries(members).filter(
    ([, value]) => value !== null && value !== undefined,
  )
  return Object.fromEntries(entries) as { [K in keyof T]?: NonNullable<T[K]> }
}

/** The smallest mass that keeps one token: OpenAI allows `top_p: 0`, the engine wants (0, 1]. */
const SMALLEST_MASS = 1e-9

/**
 * Engine options of a validated body.
 * @param stop strings that end the answer, under whatever name the endpoint gives them
 * @param modelDefaults the loaded model's own, used under `/v1` only
 * @throws ApiError for fields that contradict each other
 */
export function generateOptions(
  body: WireSampling,
  stop: readonly string[],
  dialect: Dialect,
  modelDefaults: GenerateOptions,
): GenerateOptions {
  const defaults =
    dialect === 'contract' ? CONTRACT_DEFAULTS : { ...OPENAI_DEFAULTS, ...modelDefaults }
  return { ...defaults, ...askedSampling(body, stop) }
}

/** As `generateOptions`, without anybody's defaults. */
export function askedSampling(body: WireSampling, stop: readonly string[]): GenerateOptions {
  return present({
    maxTokens: body.max_tokens,
    temperature: body.temperature,
    topP: body.top_p === 0 ? SMALLEST_MASS : body.top_p,
    topK: body.top_k === -1 ? 0 : body.top_k,
    minP: body.min_p,
    typicalP: body.typical_p,
    repetitionPenalty: body.repetition_penalty,
    presencePenalty: body.presence_penalty,
    frequencyPenalty: body.frequency_penalty,
    logitBias: body.logit_bias,
    seed: typeof body.seed === 'number' ? Number(BigInt.asUintN(32, BigInt(body.seed))) : null,
    stopTokenIds: body.stop_token_ids,
    ignoreEos: body.ignore_eos,
    stop: stop.length > 0 ? stop : null,
    n: body.n,
    ...askedLogprobs(body),
    priority: body.priority,
    cacheSalt: body.cache_salt,
  })
}

/** Alternatives to something that is not told would be told nowhere. */
function askedLogprobs({ logprobs, top_logprobs: top }: WireSampling) {
  if (logprobs) return { logprobs, topLogprobs: top }
  if (!top) return {}
  throw new ApiError(
    'bad_request',
    `The parameter 'top_logprobs' is ${top}, but needs 'logprobs': true.`,
    'top_logprobs',
  )
}
