/** `POST /v1/completions`: OpenAI's older endpoint, a text (or ids) continued. */
import { z } from '@hono/zod-openapi'
import {
  droppedFields,
  notServed,
  samplingFields,
  stopOneOrMany,
  streamOptions,
  tokenId,
} from './fields.ts'
import { finishReason, usageSchema } from './usage.ts'

/** OpenAI's default for this endpoint. */
export const COMPLETION_MAX_TOKENS = 16

const text = z.string().min(1)
const ids = z.array(tokenId).min(1)

export const completionRequest = z
  .strictObject({
    ...samplingFields,
    ...droppedFields,
    prompt: z
      .union([text, ids, z.tuple([text]), z.tuple([ids])], {
        error: 'must be one prompt: a non-empty string, or a non-empty array of token ids',
      })
      .describe('One prompt: a string or token ids, bare or in an array of one.'),
    stop: stopOneOrMany,
    stream_options: streamOptions,
    n: notServed('one answer a request', 1),
    best_of: notServed('one answer a request', 1),
    echo: notServed('echo of the prompt', false),
    suffix: notServed('insertion before a suffix', ''),
    logprobs: notServed('log-probabilities'),
    logit_bias: notServed('biased logits', {}),
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

/** The single prompt of a validated body. */
export function singlePrompt(prompt: CompletionRequest['prompt']): string | number[] {
  if (typeof prompt === 'string') return prompt
  const first = prompt[0]
  if (typeof first === 'string' || Array.isArray(first)) return first
  return prompt as number[]
}
