/** `GET /models/{id}/stats`: what the ledger sums up to, and what the engine measures. Unknown figures are `null`. */
import { z } from '@hono/zod-openapi'

export const statsResponse = z
  .object({
    model_id: z.string(),
    usage_stats: z.object({
      total_requests: z.number().int(),
      total_tokens_generated: z.number().int(),
      average_generation_time: z.number().nullable().describe('Seconds.'),
      error_rate: z
        .number()
        .nullable()
        .describe('Failed of all; a client that left is no failure.'),
    }),
    performance_metrics: z.object({
      throughput: z
        .string()
        .nullable()
        .describe('Tokens a second of an answer, on average: "25 tokens/second".'),
      memory_usage: z.string().nullable(),
      gpu_utilization: z
        .number()
        .nullable()
        .describe('Percent of the time since the server’s start in which the GPU was at work.'),
    }),
  })
  .openapi('ModelStats')

export type StatsResponse = z.infer<typeof statsResponse>
