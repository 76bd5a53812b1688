/**
 * Reads a JSON body under caps of size and depth and checks it against a schema. Every failure becomes one `ApiError`
 * that names the parameter and says what it must be; both dialects share all of it.
 */
import type { z } from '@hono/zod-openapi'
import { EngineError } from '../../engine/errors.ts'
import { ApiError, type ApiErrorCode } from './errors.ts'

export const MAX_BODY_BYTES = 4 * 1024 * 1024

/** Levels of arrays and objects. Real requests have a dozen; what walks a value (a schema, a template) may recurse. */
export const MAX_DEPTH = 64

/**
 * The body of a request as a JSON value.
 * @throws ApiError `payload_too_large` beyond `limit` bytes (declared or sent), `invalid_json` for anything but JSON
 * @throws EngineError `aborted` when the client leaves in the middle of it
 */
export async function readJson(request: Request, limit = MAX_BODY_BYTES): Promise<unknown> {
  return parseJson(await readCapped(request, limit), 'The request body')
}

/**
 * Bytes as a JSON value.
 * @param what they are, as the beginning of a sentence
 * @throws ApiError `invalid_json` for anything but JSON in UTF-8, and for more than `MAX_DEPTH` levels
 */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  if (isTooDeep(bytes)) {
    throw new ApiError('invalid_json', `${what} is nested deeper than ${MAX_DEPTH} levels.`)
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    const why = cause instanceof SyntaxError ? cause.message.slice(0, 200) : 'it is not UTF-8'
    throw new ApiError('invalid_json', `${what} is not valid JSON: ${why}.`)
  }
}

const [QUOTE, BACKSLASH] = [0x22, 0x5c]

/** Looks at bytes and not at the value: by the time there is a value, it has been built. */
function isTooDeep(bytes: Uint8Array): boolean {
  let depth = 0
  let inString = false
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]
    if (inString) {
      if (byte === BACKSLASH) i++
      else if (byte === QUOTE) inString = false
    } else if (byte === QUOTE) inString = true
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > MAX_DEPTH) return true
    } else if (byte === 0x5d || byte === 0x7d) depth--
  }
  return false
}

/**
 * The bytes of a body.
 * @throws as `readJson` does
 */
export async function readCapped(request: Request, limit: number): Promise<Uint8Array> {
  const tooLarge = () =>
    new ApiError('payload_too_large', `The request body is larger than ${limit} bytes.`)
  if (Number(request.headers.get('content-length') ?? 0) > limit) throw tooLarge()
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of request.body ?? []) {
      size += chunk.byteLength
      if (size > limit) throw tooLarge()
      chunks.push(chunk)
    }
  } catch (cause) {
    if (cause instanceof ApiError) throw cause
    throw new EngineError('aborted', 'The client left in the middle of its request.', { cause })
  }
  return Buffer.concat(chunks)
}

/**
 * Checks a value against an endpoint's schema.
 * @param what it is, as the beginning of a sentence
 * @throws ApiError that names the first parameter at fault
 */
export function validate<S extends z.ZodType>(
  schema: S,
  value: unknown,
  what = 'The request body',
): z.output<S> {
  const parsed = schema.safeParse(value, { error: fragment, reportInput: true })
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  throw issue ? toApiError(issue, what) : new ApiError('bad_request', `${what} is not valid.`)
}

type Issue = z.core.$ZodIssue

/** Second half of a sentence that begins with the parameter, for issues whose schema has no words of its own. */
function fragment(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_type') return `must be of type ${issue.expected}`
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.map(String).join(', ')}`
  return undefined
}

function toApiError(issue: Issue, what: string): ApiError {
  if (issue.code === 'unrecognized_keys') {
    const name = pathOf([...issue.path, issue.keys[0] ?? ''])
    return new ApiError('unknown_parameter', `Unknown parameter '${name}'.`, name)
  }
  const name = pathOf(issue.path)
  if (!name) return new ApiError('bad_request', `${what} ${issue.message}.`)
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
