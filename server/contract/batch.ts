/** `/batch/jobs`: the contract's batch queue. */
import { z } from '@hono/zod-openapi'
import { generateRequest } from './generate.ts'

const MAX_PROMPTS = 10_000

const parameters = generateRequest.omit({ prompt: true, stream: true })
const prompt = z.union([generateRequest.omit({ stream: true }), z.string().min(1)], {
  error: 'must be a non-empty string, or an object with a prompt and parameters of /generate',
})

export const batchRequest = z
  .strictObject({
    name: z.string({ error: 'must be a string' }).max(256).nullish().describe('For people.'),
    prompts: z
      .array(prompt, { error: 'must be an array of prompts' })
      .min(1, { error: 'must hold at least one prompt' })
      .max(MAX_PROMPTS, { error: `must hold at most ${MAX_PROMPTS} prompts` }),
    default_params: parameters
      .nullish()
      .describe('Parameters of /generate for the prompts that do not set them.'),
  })
  .openapi('BatchRequest')

export const batchJob = z
  .object({
    id: z.string(),
    name: z.string().nullable(),
    status: z.enum(['queued', 'running', 'completed', 'failed', 'cancelled']),
    progress: z.number().int().describe('Answered prompts in percent, rounded down.'),
    created_at: z.string(),
    started_at: z.string().nullable(),
    finished_at: z.string().nullable(),
    total_prompts: z.number().int(),
    completed_prompts: z.number().int().describe('Without those that failed.'),
    failed_prompts: z.number().int(),
    estimated_completion: z.string().nullable().describe('From the pace so far.'),
  })
  .openapi('BatchJob')

export const batchJobs = z
  .object({ jobs: z.array(batchJob), has_more: z.boolean() })
  .openapi('BatchJobs')

export const batchResults = z
  .object({
    job_id: z.string(),
    results: z
      .array(
        z.union([
          z.object({
            index: z.number().int(),
            status: z.literal('completed'),
            generated_text: z.string(),
            tokens_generated: z.number().int(),
            generation_time: z.number(),
            finish_reason: z.string(),
          }),
          z.object({ index: z.number().int(), status: z.literal('failed'), error: z.string() }),
        ]),
      )
      .describe('Of the prompts that are answered by now, in the order of the prompts.'),
  })
  .openapi('BatchResults')

export type BatchJobBody = z.infer<typeof batchJob>
export type BatchResultsBody = z.infer<typeof batchResults>
