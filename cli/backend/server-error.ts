/** What a server refused, or why it cannot be reached, as sentences that say what to do. */
import { z } from 'zod'
import { CommandError, EXIT } from '../exit.ts'

/** Our server's and OpenAI's shape; others' answers are told as they are. */
const errorBody = z.object({
  error: z.object({
    message: z.string(),
    code: z.string().nullish(),
    request_id: z.string().nullish(),
  }),
})

export interface ServerErrorFacts {
  /** Of the answer; null where none came, or in the middle of a stream. */
  readonly status?: number | null
  /** `error.code`, or the system's code where there was no answer. */
  readonly code?: string | null
  /** Seconds, as `Retry-After` says. */
  readonly retryAfter?: number | null
  /** The same request may well succeed later. */
  readonly mayRetry?: boolean
  readonly cause?: unknown
}

export class ServerError extends CommandError {
  override readonly name = 'ServerError'
  readonly status: number | null
  readonly code: string | null
  readonly retryAfter: number | null
  readonly mayRetry: boolean

  constructor(message: string, facts: ServerErrorFacts = {}) {
    super(message, { cause: facts.cause })
    this.status = facts.status ?? null
    this.code = facts.code ?? null
    this.retryAfter = facts.retryAfter ?? null
    this.mayRetry = facts.mayRetry ?? false
  }

  /** The same, for who asks no more: with the time after which it makes sense to. */
  get last(): ServerError {
    const { message, retryAfter } = this
    return retryAfter === null ? this : new ServerError(`${message}${when(retryAfter)}`, this)
  }

  /** As of a model in this process: a wrong parameter is a wrong command line, a prompt that is too long is not. */
  override get exitCode(): number {
    const isWrong = this.status === 400 || this.status === 422
    return isWrong && this.code !== 'context_length_exceeded' ? EXIT.usage : EXIT.runtime
  }
}

/** What is known of a request, for the sentences. */
export interface Asked {
  readonly url: string
  readonly hasKey: boolean
  readonly model: string | null
}

/** From an answer that is no success; reads its body. */
export async function refusalOf(
  response: Response,
  asked: Asked,
  mayRetry: boolean,
): Promise<ServerError> {
  const text = await response.text()
  const after = Number(response.headers.get('retry-after') ?? Number.NaN)
  const retryAfter = Number.isFinite(after) ? after : null
  return refused(parsed(text), { status: response.status, retryAfter, mayRetry }, asked)
}

/** From the payload of an error frame in a stream. */
export const frameRefusal = (payload: unknown, asked: Asked): ServerError =>
  refused(payload, {}, asked)

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function refused(body: unknown, about: ServerErrorFacts, asked: Asked): ServerError {
  const known = errorBody.safeParse(body)
  const { url } = asked
  const status = about.status ?? null
  if (!known.success) {
    const what = `${url} answers ${status ?? 'something'} as no server of language models does`
    return new ServerError(
      `${what}; correct the address (--url, ILLUMINATOR_URL or "illuminator config set base_url <url>").`,
      about,
    )
  }
  const { message, code = null, request_id: id } = known.data.error
  const facts = { ...about, code }
  const said = sentence(message)
  if (status === 401) return new ServerError(unauthenticated(said, asked), facts)
  if (code === 'model_not_found') {
    const named = asked.model === null ? 'the model' : JSON.stringify(asked.model)
    const how = `"illuminator ps --all --url ${url}" lists what it has.`
    return new ServerError(`${url} does not serve ${named}: ${said} ${how}`, facts)
  }
  // For a report of a fault; being busy is none.
  const report =
    (status === 500 || status === 502 || status === 504) && id ? ` (request ${id})` : ''
  return new ServerError(`${url} says: ${said}${report}`, facts)
}

function unauthenticated(said: string, { url, hasKey }: Asked): string {
  const how = '"illuminator config set api_key <key>" or ILLUMINATOR_API_KEY'
  return hasKey
    ? `${url} refuses the API key: ${said} Give another by ${how}.`
    : `${url} wants an API key. Give it by ${how}.`
}

const sentence = (text: string): string =>
  /[.!?]$/.test(text.trim()) ? text.trim() : `${text.trim()}.`

function when(seconds: number): string {
  if (seconds < 120) return ` Try again in ${Math.ceil(seconds)} s.`
  const minutes = Math.ceil(seconds / 60)
  return ` Try again in ${minutes < 120 ? `${minutes} min` : `${Math.ceil(minutes / 60)} h`}.`
}

/** Codes of Node and undici, and what they mean to a person. */
const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'no machine has that name',
  EAI_AGAIN: 'the name cannot be looked up now',
  EHOSTUNREACH: 'that machine cannot be reached',
  ENETUNREACH: 'that network cannot be reached',
  ETIMEDOUT: 'nothing answers there',
  UND_ERR_CONNECT_TIMEOUT: 'nothing answers there',
  ECONNRESET: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
}

/** From what `fetch`, or reading its body, threw. */
export function unreachable(error: unknown, { url }: Asked, isUnderWay: boolean): ServerError {
  const code = codeOf(error)
  if (code === 'ECONNREFUSED') {
    return new ServerError(
      `No server listens at ${url}. "illuminator serve" starts one; another is named by --url, ILLUMINATOR_URL or "illuminator config set base_url <url>".`,
      { code, cause: error },
    )
  }
  const reason = (code === null ? null : REASONS[code]) ?? reasonOf(error)
  const message = isUnderWay
    ? `The answer of ${url} broke off: ${reason}.`
    : `${url} cannot be reached: ${reason}.`
  return new ServerError(message, { code, cause: error })
}

/** `fetch` wraps what happened, and several addresses in one error. */
function codeOf(error: unknown): string | null {
  if (!(error instanceof Error)) return null
  if (error instanceof AggregateError) return codeOf(error.errors[0])
  if ('code' in error && typeof error.code === 'string') return error.code
  return codeOf(error.cause)
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}
