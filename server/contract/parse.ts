/**
 * Reads a JSON body under a size cap and checks it against a schema. Every failure becomes one `ApiError` that names
 * the parameter and says what it must be; both dialects share all of it.
 */
import type { z } from '@hono/zod-openapi'
import { ApiError, type ApiErrorCode } from './errors.ts'

export const MAX_BODY_BYTES = 4 * 1024 * 1024

/**
 * The body of a request as a JSON value.
 * @throws ApiError `payload_too_large` beyond `limit` bytes (declared or sent), `invalid_json` for anything but JSON
 */
export async function readJson(request: Request, limit = MAX_BODY_BYTES): Promise<unknown> {
  const bytes = await readCapped(request, limit)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    const why = cause instanceof SyntaxError ? cause.message.slice(0, 200) : 'it is not UTF-8'
    throw new ApiError('invalid_json', `The request body is not valid JSON: ${why}.`)
  }
}

async function readCapped(request: Request, limit: number): Promise<Uint8Array> {
  const tooLarge = () =>
    new ApiError('payload_too_large', `The request body is larger than ${limit} bytes.`)
  if (Number(request.headers.get('content-length') ?? 0) > limit) throw tooLarge()
  const chunks: Uint8Array[] = []
  let size = 0
  if (request.body) {
    for await (const chunk of request.body) {
      size += chunk.byteLength
      if (size > limit) throw tooLarge()
      chunks.push(chunk)
    }
  }
  return Buffer.concat(chunks)
}

/**
 * Checks a value against an endpoint's schema.
 * @throws ApiError that names the first parameter at fault
 */
export function validate<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value, { error: fragment, reportInput: true })
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  throw issue ? toApiError(issue) : new ApiError('bad_request', 'The request body is not valid.')
}

type Issue = z.core.$ZodIssue

/** Second half of a sentence that begins with the parameter, for issues whose schema has no words of its own. */
function fragment(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_type') return `must be of type ${issue.expected}`
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.map(String).join(', ')}`
  return undefined
}

function toApiError(issue: Issue): ApiError {
  if (issue.code === 'unrecognized_keys') {
    const name = pathOf([...issue.path, issue.keys[0] ?? ''])
    return new ApiError('unknown_parameter', `Unknown parameter '${name}'.`, name)
  }
  const name = pathOf(issue.path)
  if (!name) return new ApiError('bad_request', `The request body ${issue.message}.`)
  const code = codeOf(issue)
  const fault = code === 'missing_parameter' ? 'is required' : issue.message
  return new ApiError(code, `The parameter '${name}' ${fault}.`, name)
}

/** A schema's own refinement may say which error it is (`params.code`); an absent value is a missing parameter. */
function codeOf(issue: Issue): ApiErrorCode {
  if (issue.code === 'custom') {
    const marked: unknown = issue.params?.code
    return marked === 'unsupported_parameter' || marked === 'missing_parameter'
      ? marked
      : 'bad_request'
  }
  return 'input' in issue && issue.input === undefined ? 'missing_parameter' : 'bad_request'
}

/** `['messages', 0, 'content']` → `messages[0].content`; cut, since a client may name a key as it likes. */
function pathOf(path: readonly PropertyKey[]): string {
  let text = ''
  for (const part of path) {
    text += typeof part === 'number' ? `[${part}]` : text ? `.${String(part)}` : String(part)
  }
  return text.slice(0, 200)
}
