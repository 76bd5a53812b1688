/** `POST /generate`: the contract's own endpoint, a text continued. */
import { z } from '@hono/zod-openapi'
import { flag, samplingFields, stopList } from './fields.ts'
import { finishReason, usageSchema } from './usage.ts'

export const generateRequest = z
  .strictObject({
    ...samplingFields,
    prompt: z
      .string({ error: 'must be a string' })
      .min(1, { error: 'must not be empty' })
      .describe('The text to continue.'),
    stop_sequences: stopList,
    return_full_text: flag('Answer with prompt and continuation; the usage stays the same.'),
  })
  .openapi('GenerateRequest')

export const generateResponse = z
  .object({
    generated_text: z.string(),
    tokens_generated: z.number().int(),
    generation_time: z.number().describe('Seconds from admission to the end.'),
    model_version: z.string(),
    finish_reason: finishReason,
    usage: usageSchema,
  })
  .openapi('GenerateResponse')

/** One data frame of a stream; the last one before `[DONE]` has the finish reason and the usage. */
export const generateFrame = z
  .object({
    token: z.string().describe('Whole characters only, never part of a stop sequence.'),
    index: z.number().int().describe('Ordinal of the last token in the frame; strictly rising.'),
    finish_reason: finishReason.optional(),
    usage: usageSchema.optional(),
  })
  .openapi('GenerateFrame')

export type GenerateResponse = z.infer<typeof generateResponse>
export type GenerateFrame = z.infer<typeof generateFrame>
