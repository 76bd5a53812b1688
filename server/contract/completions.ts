/** `POST /v1/completions`: OpenAI's older endpoint, a text (or ids) continued. */
import { z } from '@hono/zod-openapi'
import {
  choices,
  droppedFields,
  MAX_CHOICES,
  notServed,
  samplingFields,
  stopOneOrMany,
  streamOptions,
  tokenId,
  whole,
} from './fields.ts'
import { finishReason, usageSchema } from './usage.ts'

/** OpenAI's default for this endpoint. */
export const COMPLETION_MAX_TOKENS = 16

const MAX_PROMPTS = 64

/** Most answers of a request, those to all its prompts together. */
export const MAX_ANSWERS = 1024

const text = z.string().min(1, { error: 'must not be empty' })
const ids = z.array(tokenId).min(1, { error: 'must hold at least one token id' })

const several = <S extends z.ZodType>(one: S) => {
  const error = `must hold one prompt to ${MAX_PROMPTS} of them`
  return z.array(one).min(1, { error }).max(MAX_PROMPTS, { error })
}

export const completionRequest = z
  .strictObject({
    ...samplingFields,
    ...droppedFields,
    prompt: z
      .union([text, ids, several(text), several(ids)], {
        error: `must be a non-empty string, a non-empty array of token ids, or an array of at most ${MAX_PROMPTS} of either`,
      })
      .describe('A string or token ids, or several of either: each is answered by itself.'),
    stop: stopOneOrMany,
    stream_options: streamOptions,
    n: choices,
    best_of: whole(1, MAX_CHOICES, 'Only as many as n: no answer is made to be thrown away.'),
    echo: notServed('echo of the prompt', false),
    suffix: notServed('insertion before a suffix', ''),
    logprobs: notServed('log-probabilities here; /v1/chat/completions tells them'),
  })
  .openapi('CompletionRequest')

export type CompletionRequest = z.output<typeof completionRequest>

/** One chunk of a stream has the same shape, its finish reason `null` until the end. */
export const completionResponse = z
  .object({
    id: z.string(),
    object: z.literal('text_completion'),
    created: z.number().int(),
    model: z.string(),
    choices: z.array(
      z.object({
        index: z.number().int(),
        text: z.string(),
        logprobs: z.null(),
        finish_reason: finishReason.nullable(),
      }),
    ),
    usage: usageSchema.nullable().optional(),
  })
  .openapi('CompletionResponse')

export type CompletionResponse = z.infer<typeof completionResponse>

/** The prompts of a validated body, one or several, in their order. */
export function promptsOf(prompt: CompletionRequest['prompt']): (string | number[])[] {
  if (typeof prompt === 'string') return [prompt]
  return isIds(prompt) ? [prompt] : prompt
}

const isIds = (prompt: string[] | number[] | number[][]): prompt is number[] =>
  typeof prompt[0] === 'number'
