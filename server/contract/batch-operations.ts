/** Operations of the batch queue, in both dialects. */
import { z } from '@hono/zod-openapi'
import { batchJob, batchJobs, batchRequest, batchResults } from './batch.ts'
import { batchList, batchObject, createBatch, deletedFile, fileList, fileObject } from './files.ts'
import { JSON_BODY, type Operation } from './operation.ts'

const page = z.object({
  limit: z.string().regex(/^\d+$/).optional().describe('Most that are listed.'),
  after: z.string().optional().describe('Id of the last one of the page before.'),
})

export const BATCH_OPERATIONS: readonly Operation[] = [
  {
    method: 'post',
    path: '/batch/jobs',
    summary: 'Submit prompts',
    request: batchRequest,
    response: batchJob,
    status: 202,
    errors: [...JSON_BODY, 'unsupported_parameter', 'not_found'],
  },
  {
    method: 'get',
    path: '/batch/jobs',
    summary: 'The caller’s jobs, newest first',
    query: page,
    response: batchJobs,
    errors: ['bad_request', 'not_found'],
  },
  {
    method: 'get',
    path: '/batch/jobs/{id}',
    summary: 'Progress of a job',
    response: batchJob,
    errors: ['not_found'],
  },
  {
    method: 'get',
    path: '/batch/jobs/{id}/results',
    summary: 'Answers of a job so far',
    query: page
      .pick({ limit: true })
      .extend({ offset: z.string().regex(/^\d+$/).optional().describe('First index.') }),
    response: batchResults,
    errors: ['bad_request', 'not_found'],
  },
  {
    method: 'delete',
    path: '/batch/jobs/{id}',
    summary: 'Cancel a job',
    response: batchJob,
    errors: ['not_found', 'conflict'],
  },
  {
    method: 'post',
    path: '/v1/files',
    summary: 'Upload the input of a batch',
    request: z
      .object({
        file: z.string().openapi({ format: 'binary' }).describe('A request a line, as JSON.'),
        purpose: z.literal('batch'),
      })
      .openapi('UploadFile'),
    form: 'multipart/form-data',
    response: fileObject,
    errors: ['bad_request', 'missing_parameter', 'payload_too_large', 'not_found'],
  },
  {
    method: 'get',
    path: '/v1/files',
    summary: 'The caller’s files',
    query: page.pick({ limit: true }),
    response: fileList,
    errors: ['bad_request', 'not_found'],
  },
  {
    method: 'get',
    path: '/v1/files/{id}',
    summary: 'Facts of a file',
    response: fileObject,
    errors: ['not_found'],
  },
  {
    method: 'get',
    path: '/v1/files/{id}/content',
    summary: 'A file itself',
    response: z.string().openapi({ format: 'binary' }),
    media: 'application/octet-stream',
    errors: ['not_found'],
  },
  {
    method: 'delete',
    path: '/v1/files/{id}',
    summary: 'Delete a file',
    response: deletedFile,
    errors: ['not_found', 'conflict'],
  },
  {
    method: 'post',
    path: '/v1/batches',
    summary: 'Start a batch over an uploaded file',
    request: createBatch,
    response: batchObject,
    errors: [...JSON_BODY, 'not_found'],
  },
  {
    method: 'get',
    path: '/v1/batches',
    summary: 'The caller’s batches, newest first',
    query: page,
    response: batchList,
    errors: ['bad_request', 'not_found'],
  },
  {
    method: 'get',
    path: '/v1/batches/{id}',
    summary: 'Progress of a batch',
    response: batchObject,
    errors: ['not_found'],
  },
  {
    method: 'post',
    path: '/v1/batches/{id}/cancel',
    summary: 'Cancel a batch',
    response: batchObject,
    errors: ['not_found', 'conflict'],
  },
]
