/** `GET /openapi.json`: the document, printed from the very schemas that check requests. */
import { OpenAPIHono, z } from '@hono/zod-openapi'
import { isCounted, needOf } from '../auth/access.ts'
import { dialectOf } from './dialect.ts'
import { ApiError, type ApiErrorCode, toHttpError } from './errors.ts'
import type { Operation } from './operation.ts'
import { OPERATIONS } from './operations.ts'

export { OPERATIONS } from './operations.ts'

const errorResponse = z
  .object({
    error: z.object({
      type: z.string(),
      code: z.string(),
      message: z.string(),
      param: z.string().nullable(),
      request_id: z.string(),
    }),
  })
  .openapi('Error')

/** What goes wrong before a route is reached, or in spite of it. */
const ANYWHERE = [
  'malformed_request',
  'host_not_allowed',
  'headers_too_large',
  'request_timeout',
  'internal',
] as const satisfies readonly ApiErrorCode[]

/** Where a key is needed. */
const WITH_KEY = [
  'unauthenticated',
  'forbidden',
  'key_server_unavailable',
] as const satisfies readonly ApiErrorCode[]

/** Where requests are counted. */
const COUNTED = ['rate_limited', 'quota_exceeded'] as const satisfies readonly ApiErrorCode[]

const needsKey = ({ path }: Operation): boolean => needOf(path) !== 'public'

/** Statuses of failure, with the `error.code` of each. */
function failuresOf(operation: Operation): Map<number, string[]> {
  const { method, path, errors } = operation
  const codes = new Set<ApiErrorCode>([
    ...errors,
    ...(needsKey(operation) ? WITH_KEY : []),
    ...(isCounted(method.toUpperCase(), path) ? COUNTED : []),
    ...ANYWHERE,
  ])
  const failures = new Map<number, string[]>()
  for (const code of codes) {
    const { status, body } = toHttpError(new ApiError(code, ''), dialectOf(path), '')
    failures.set(status, [...(failures.get(status) ?? []), body.error.code])
  }
  return failures
}

interface Answer {
  description: string
  content: Record<string, { schema: z.ZodType }>
}

/** One server-sent event, as OpenAPI 3.2 describes them. */
const eventOf = (frame: z.ZodType): z.ZodType =>
  z.object({
    data: z.union([
      z.literal('[DONE]').describe('The end of a whole stream.'),
      z.string().openapi({
        contentMediaType: 'application/json',
        contentSchema: z.toJSONSchema(z.union([frame, errorResponse]), { unrepresentable: 'any' }),
      } as object),
    ]),
  })

function answersOf(operation: Operation): Record<number, Answer> {
  const { response, frame, status = 200, media = 'application/json', others = {} } = operation
  const answers: Record<number, Answer> = {
    [status]: {
      description: 'Success',
      content: {
        [media]: { schema: response },
        ...(frame ? { 'text/event-stream': { schema: eventOf(frame) } } : {}),
      },
    },
  }
  for (const [failure, codes] of failuresOf(operation)) {
    const schema = others[failure] ? z.union([others[failure], errorResponse]) : errorResponse
    answers[failure] = {
      description: [...new Set(codes)].sort().join(', '),
      content: { 'application/json': { schema } },
    }
  }
  for (const [failure, schema] of Object.entries(others)) {
    answers[Number(failure)] ??= {
      description: 'No success',
      content: { 'application/json': { schema } },
    }
  }
  return answers
}

/** The OpenAPI 3.1 document. */
export function openApiDocument(version: string): object {
  const { openAPIRegistry, getOpenAPI31Document } = new OpenAPIHono()
  openAPIRegistry.registerComponent('securitySchemes', 'key', { type: 'http', scheme: 'bearer' })
  for (const operation of OPERATIONS) {
    const { method, path, summary, request, form = 'application/json', query } = operation
    const ids = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => [name, z.string()])
    openAPIRegistry.registerPath({
      method,
      path,
      summary,
      // A server without keys asks for none.
      ...(needsKey(operation) ? { security: [{ key: [] }, {}] } : {}),
      request: {
        ...(ids.length > 0 ? { params: z.object(Object.fromEntries(ids)) } : {}),
        ...(query ? { query } : {}),
        ...(request ? { body: { required: true, content: { [form]: { schema: request } } } } : {}),
      },
      responses: answersOf(operation),
    })
  }
  return getOpenAPI31Document({ openapi: '3.1.0', info: { title: 'illuminator', version } })
}
