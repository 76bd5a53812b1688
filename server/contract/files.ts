/** `/v1/files` and `/v1/batches`: OpenAI's dialect of the batch queue. */
import { z } from '@hono/zod-openapi'
import { droppedFields } from './fields.ts'

/** Endpoints that a batch may name. */
const BATCH_ENDPOINTS = ['/v1/chat/completions', '/v1/completions'] as const

export const MAX_FILE_BYTES = 64 * 1024 * 1024
export const MAX_LINES = 50_000

export const fileObject = z
  .object({
    id: z.string(),
    object: z.literal('file'),
    bytes: z.number().int(),
    created_at: z.number().int(),
    filename: z.string(),
    purpose: z.enum(['batch', 'batch_output']),
    status: z.literal('processed'),
  })
  .openapi('File')

export const fileList = z
  .object({
    object: z.literal('list'),
    data: z.array(fileObject),
    first_id: z.string().describe('Empty when there are none.'),
    last_id: z.string(),
    has_more: z.boolean(),
  })
  .openapi('FileList')

export const deletedFile = z
  .object({ id: z.string(), object: z.literal('file'), deleted: z.literal(true) })
  .openapi('DeletedFile')

const metadata = z
  .record(z.string().max(64), z.string().max(512), { error: 'must be an object of strings' })
  .refine((map) => Object.keys(map).length <= 16, { error: 'must hold at most 16 members' })
  .nullish()

export const createBatch = z
  .strictObject({
    input_file_id: z.string({ error: 'must be the id of an uploaded file' }),
    endpoint: z.enum(BATCH_ENDPOINTS, {
      error: `must be one of ${BATCH_ENDPOINTS.join(', ')}`,
    }),
    completion_window: z.literal('24h', { error: "must be '24h'" }),
    metadata,
    output_expires_after: droppedFields.metadata,
  })
  .openapi('CreateBatch')

/** One line of an input file. */
export const batchLine = z.strictObject({
  custom_id: z.string({ error: 'must be a string' }).min(1).max(512),
  method: z.literal('POST', { error: "must be 'POST'" }),
  url: z.string(),
  body: z.record(z.string(), z.unknown(), { error: 'must be an object' }),
})

/** OpenAI's document knows no null here: what is not yet, or never, is left out. */
const time = z.number().int().optional()

export const batchObject = z
  .object({
    id: z.string(),
    object: z.literal('batch'),
    endpoint: z.string(),
    errors: z
      .object({
        object: z.literal('list'),
        data: z.array(
          z.object({
            code: z.string(),
            message: z.string(),
            param: z.string().nullable(),
            line: z.number().int().nullable(),
          }),
        ),
      })
      .optional(),
    input_file_id: z.string(),
    completion_window: z.literal('24h'),
    status: z.enum(['validating', 'failed', 'in_progress', 'completed', 'cancelled']),
    output_file_id: z.string().optional(),
    error_file_id: z.string().optional(),
    created_at: z.number().int(),
    in_progress_at: time,
    completed_at: time,
    failed_at: time,
    cancelled_at: time,
    request_counts: z.object({
      total: z.number().int(),
      completed: z.number().int(),
      failed: z.number().int(),
    }),
    metadata: z.record(z.string(), z.string()).nullable(),
  })
  .openapi('Batch')

export const batchList = z
  .object({
    object: z.literal('list'),
    data: z.array(batchObject),
    first_id: z.string().optional(),
    last_id: z.string().optional(),
    has_more: z.boolean(),
  })
  .openapi('BatchList')

export type FileObject = z.infer<typeof fileObject>
export type BatchObject = z.infer<typeof batchObject>
