/**
 * Building blocks of the request schemas: numbers with a range that their message states, the fields all generating
 * endpoints share, fields we know but do not serve yet, and the written list of extras that clients send and that may
 * be dropped without changing the answer.
 */
import { z } from '@hono/zod-openapi'

const show = (value: number): string => (Number.isInteger(value) ? value.toFixed(1) : String(value))

/** A finite number from `low` to `high`; `null` and absence mean the default. */
const real = (low: number, high: number, description: string) => {
  const error = `must be a number between ${show(low)} and ${show(high)}`
  return z
    .number({ error })
    .min(low, { error })
    .max(high, { error })
    .nullish()
    .describe(description)
}

/** A whole number from `low` to `high`; `null` and absence mean the default. */
export const whole = (low: number, high: number, description: string) => {
  const error =
    high >= Number.MAX_SAFE_INTEGER
      ? `must be an integer of at least ${low}`
      : `must be an integer between ${low} and ${high}`
  return z
    .number({ error })
    .int({ error })
    .min(low, { error })
    .max(high, { error })
    .nullish()
    .describe(description)
}

export const flag = (description: string) =>
  z.boolean({ error: 'must be true or false' }).nullish().describe(description)

const MAX_STOPS = 16
const MAX_STOP_BYTES = 256

const stopText = z
  .string({ error: 'must be a string' })
  .min(1, { error: 'must not be empty' })
  .refine((text) => Buffer.byteLength(text) <= MAX_STOP_BYTES, {
    error: `must be at most ${MAX_STOP_BYTES} bytes long`,
  })

/** Strings that end the answer. */
export const stopList = z
  .array(stopText, { error: 'must be an array of strings' })
  .max(MAX_STOPS, { error: `must hold at most ${MAX_STOPS} strings` })
  .nullish()
  .describe('Strings that end the answer; they are never part of it.')

/** OpenAI's form of the same: one string or several. */
export const stopOneOrMany = z
  .union([stopText, stopList], {
    error: `must be a non-empty string, or an array of at most ${MAX_STOPS} of them, each at most ${MAX_STOP_BYTES} bytes long`,
  })
  .nullish()
  .describe('A string, or strings, that end the answer.')

/** A token id; whether the model has it is checked once the model is known. */
export const tokenId = z
  .number({ error: 'must be a token id (an integer)' })
  .int({ error: 'must be a token id (an integer)' })
  .min(0, { error: 'must not be negative' })
  .max(0x7fffffff, { error: 'is not a token id of this model' })

/** A share of the whole: more than nothing. */
const share = (description: string) => {
  const error = 'must be a number above 0.0 and at most 1.0'
  return z.number({ error }).gt(0, { error }).max(1, { error }).nullish().describe(description)
}

const MAX_BIASES = 1024

const MAX_BIAS = 100
const TOKEN_ID = /^(0|[1-9]\d{0,9})$/

const bias = (() => {
  const error = `must be a number between -${MAX_BIAS} and ${MAX_BIAS}`
  return z.number({ error }).min(-MAX_BIAS, { error }).max(MAX_BIAS, { error })
})()

/** For the document, which cannot look into the check of names. */
const BIASES_DOCUMENTED = {
  type: ['object' as const, 'null' as const],
  propertyNames: { pattern: TOKEN_ID.source },
  additionalProperties: { type: 'number' as const, minimum: -MAX_BIAS, maximum: MAX_BIAS },
  maxProperties: MAX_BIASES,
}

/**
 * Ids are written as strings, as JSON wants the names of members. They are looked at before the record is: a record
 * passes over `__proto__`.
 */
const logitBias = z
  .unknown()
  .superRefine((biases, context) => {
    if (typeof biases !== 'object' || biases === null) return
    const wrong = Object.keys(biases).find((name) => !TOKEN_ID.test(name))
    if (wrong === undefined) return
    const message = 'is not a token id: a whole number, written as a string'
    context.addIssue({ code: 'custom', path: [wrong], message })
  })
  .pipe(
    z
      .record(z.string(), bias, { error: 'must be an object of token ids and biases' })
      .refine((biases) => Object.keys(biases).length <= MAX_BIASES, {
        error: `must hold at most ${MAX_BIASES} token ids`,
      }),
  )
  .nullish()
  .openapi(BIASES_DOCUMENTED)
  .describe('Added to the logits of single tokens, by token id: -100 bans one, 100 forces it.')

export const MAX_CHOICES = 128

/** Answers to one prompt. */
export const choices = whole(1, MAX_CHOICES, 'Answers to a prompt, which is computed only once.')

/** Fields of every endpoint that generates. */
export const samplingFields = {
  model: z
    .string({ error: 'must be a string' })
    .max(128, { error: 'must be at most 128 characters long' })
    .nullish()
    .describe('A served model id or alias; absent: the model that is loaded.'),
  max_tokens: whole(1, 0x7fffffff, 'Most tokens to generate.'),
  temperature: real(0, 2, '0 is greedy.'),
  top_p: real(0, 1, 'Nucleus sampling: the probability mass to keep.'),
  top_k: whole(-1, 0x7fffffff, 'Keep the k most likely tokens; 0 or -1 keeps all.'),
  min_p: real(0, 1, 'Drop tokens less likely than this fraction of the most likely.'),
  typical_p: share('Keep the smallest set of locally typical tokens with this mass.'),
  repetition_penalty: real(1, 2, 'Penalty on tokens of prompt and answer.'),
  presence_penalty: real(-2, 2, 'Penalty on tokens already in the answer, once.'),
  frequency_penalty: real(-2, 2, 'Penalty on tokens already in the answer, per occurrence.'),
  logit_bias: logitBias,
  seed: whole(
    Number.MIN_SAFE_INTEGER,
    Number.MAX_SAFE_INTEGER,
    'Makes a sampled answer repeatable.',
  ),
  stop_token_ids: z
    .array(tokenId, { error: 'must be an array of token ids' })
    .max(64, { error: 'must hold at most 64 ids' })
    .nullish()
    .describe('Token ids that end the answer, besides the model’s own.'),
  ignore_eos: flag('Go on after the model’s end-of-text tokens.'),
  priority: z
    .enum(['interactive', 'batch'], { error: "must be 'interactive' or 'batch'" })
    .nullish()
    .describe('Batch work runs in what interactive work leaves.'),
  cache_salt: z
    .string({ error: 'must be a string' })
    .max(256, { error: 'must be at most 256 characters long' })
    .nullish()
    .describe(
      'Cached prefixes are shared only among requests of one salt, and of one key where keys are needed.',
    ),
  stream: flag('Answer with server-sent events.'),
} as const

/** What becomes of a field that is not honoured, and why; fields without an entry are honoured. */
export const SUPPORT = z.registry<{ support: 'refused' | 'dropped'; why: string }>()

/**
 * A documented field that this version does not serve. Values that ask for nothing (`n: 1`, `tools: []`) pass; anything
 * else is refused by name, because an ignored field is a wrong answer.
 */
export const notServed = (what: string, ...neutral: readonly unknown[]) => {
  const accepted = new Set([undefined, null, ...neutral].map((value) => JSON.stringify(value)))
  const asksNothing = (value: unknown): boolean =>
    // Strings, numbers, [] and {} only: a neutral value is short, so a huge one is never serialised.
    (typeof value !== 'object' || value === null || Object.keys(value).length <= 2) &&
    isShallow(value) &&
    accepted.has(JSON.stringify(value))
  return z
    .unknown()
    .refine(asksNothing, {
      error: `is not supported: ${what}`,
      params: { code: 'unsupported_parameter' },
    })
    .optional()
    .describe(`Not supported yet: ${what}.`)
    .register(SUPPORT, { support: 'refused', why: what })
}

/** True when no member is itself an object: keeps `JSON.stringify` off bodies nested a million deep. */
function isShallow(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true
  return Object.values(value).every((member) => typeof member !== 'object' || member === null)
}

export const dropped = (why: string) =>
  z
    .unknown()
    .optional()
    .describe(`Accepted, without effect: ${why}.`)
    .register(SUPPORT, { support: 'dropped', why })

/** The allow-list: extras that real clients send, and why dropping them changes no answer. */
export const droppedFields = {
  user: dropped('a tag for the provider’s own records'),
  metadata: dropped('a tag for the provider’s own records'),
  store: dropped('nothing is stored'),
  service_tier: dropped('there is one tier of service'),
  safety_identifier: dropped('a tag for the provider’s own records'),
  prompt_cache_key: dropped('a hint for caching'),
  prompt_cache_retention: dropped('a hint for caching'),
  prompt_cache_options: dropped('a hint for caching'),
  cache_control: dropped('a hint for caching'),
} as const

/** `stream_options`; `usage` counts arrive in a last chunk of their own when asked for. */
export const streamOptions = z
  .strictObject(
    {
      include_usage: flag('Send a last chunk with the usage.'),
      include_obfuscation: notServed('frames are not padded', false),
    },
    { error: 'must be an object' },
  )
  .nullish()
  .describe('How a stream is told.')
