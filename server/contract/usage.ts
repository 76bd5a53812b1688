/** Token counts and finish reasons as every answer states them, in both dialects. */
import { z } from '@hono/zod-openapi'
import type { Usage } from '../../engine/api.ts'

export const usageSchema = z.object({
  prompt_tokens: z.number().int(),
  completion_tokens: z.number().int(),
  total_tokens: z.number().int(),
  prompt_tokens_details: z.object({
    cached_tokens: z.number().int().openapi({
      description: 'Prompt tokens whose keys and values were found in the prefix cache.',
    }),
  }),
})

export const finishReason = z.enum(['stop', 'length'])

export type WireUsage = z.infer<typeof usageSchema>

/** The engine's counts under the wire's names. */
export function wireUsage(usage: Usage): WireUsage {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.totalTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedTokens },
  }
}
