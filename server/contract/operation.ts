/** What is written down of an operation of the API, and the errors that kinds of them have in common. */
import type { z } from '@hono/zod-openapi'
import type { ApiErrorCode } from './errors.ts'

export interface Operation {
  method: 'get' | 'post' | 'delete'
  path: string
  summary: string
  request?: z.ZodType
  /** Of the request. Default: JSON. */
  form?: 'application/x-www-form-urlencoded' | 'multipart/form-data'
  query?: z.ZodObject
  response: z.ZodType
  /** Of success. Default 200. */
  status?: 200 | 202
  /** Of the response. Default: JSON. */
  media?: 'application/octet-stream'
  /** Schema of one event, where the answer can be streamed. */
  frame?: z.ZodType
  /** Answers with a status of failure whose body is no error. */
  others?: Readonly<Record<number, z.ZodType>>
  /** Beside those that every operation can give. */
  errors: readonly ApiErrorCode[]
}

/** Errors of whatever takes a JSON body. */
export const JSON_BODY = [
  'invalid_json',
  'bad_request',
  'missing_parameter',
  'unknown_parameter',
  'payload_too_large',
] as const satisfies readonly ApiErrorCode[]

/** And of what needs a model. */
export const WORK = [
  ...JSON_BODY,
  'model_not_found',
  'overloaded',
  'draining',
  'insufficient_memory',
  'load_failed',
  'timeout',
] as const satisfies readonly ApiErrorCode[]

/** And of what generates. */
export const GENERATION = [
  ...WORK,
  'unsupported_parameter',
  'context_length',
  'model',
  'gpu',
] as const satisfies readonly ApiErrorCode[]
