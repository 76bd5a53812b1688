/**
 * `POST /oauth/token` (RFC 6749, 4.4): a form and not JSON, the client's secret in it or in the Authorization header,
 * and errors in that standard's shape, because OAuth libraries know no other.
 */
import { z } from '@hono/zod-openapi'

export const tokenRequest = z
  .object({
    grant_type: z.literal('client_credentials'),
    client_id: z.string().optional().describe('Unless the Authorization header (Basic) has it.'),
    client_secret: z.string().optional(),
    scope: z.string().optional().describe('With spaces; absent: all that the client has.'),
  })
  .openapi('TokenRequest')

export const tokenResponse = z
  .object({
    access_token: z.string(),
    token_type: z.literal('Bearer'),
    expires_in: z.number().int(),
    scope: z.string(),
  })
  .openapi('TokenResponse')

export type TokenResponse = z.infer<typeof tokenResponse>

export const jwksResponse = z
  .object({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string(), alg: z.string() })) })
  .openapi('JsonWebKeySet')

export const tokenError = z
  .object({
    error: z.enum(['invalid_request', 'invalid_client', 'unsupported_grant_type', 'invalid_scope']),
    error_description: z.string(),
  })
  .openapi('TokenError')

type TokenErrorCode = z.infer<typeof tokenError>['error']

export class TokenError extends Error {
  override readonly name = 'TokenError'
  readonly code: TokenErrorCode

  constructor(code: TokenErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

export interface ClientSecret {
  readonly id: string
  readonly secret: string
}

/**
 * The parameters of a form; each at most once, as the standard has it.
 * @throws TokenError `invalid_request`
 */
export function parseForm(text: string): Map<string, string> {
  const form = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(text)) {
    if (form.has(name)) throw new TokenError('invalid_request', 'A parameter is there twice.')
    // Without a value it is as if it were absent.
    if (value !== '') form.set(name, value)
  }
  return form
}

/**
 * The client's id and secret, from one place alone.
 * @throws TokenError
 */
export function clientOf(
  authorization: string | undefined,
  form: ReadonlyMap<string, string>,
): ClientSecret {
  const [id, secret] = [form.get('client_id'), form.get('client_secret')]
  if (authorization === undefined) {
    if (id !== undefined && secret !== undefined) return { id, secret }
    throw new TokenError('invalid_client', 'client_id and client_secret are required.')
  }
  const basic = fromBasic(authorization)
  if (secret !== undefined || (id !== undefined && id !== basic.id)) {
    throw new TokenError('invalid_request', 'The client is named in the header and in the body.')
  }
  return basic
}

/** Both halves are form-encoded before they are joined (RFC 6749, 2.3.1). */
function fromBasic(authorization: string): ClientSecret {
  const [, encoded = ''] = /^basic +([A-Za-z0-9+/]+=*)$/i.exec(authorization.trim()) ?? []
  const [, id, secret] = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded, 'base64').toString()) ?? []
  if (id === undefined || secret === undefined) {
    throw new TokenError(
      'invalid_client',
      "The Authorization header must read 'Basic <id:secret>'.",
    )
  }
  return { id: formDecoded(id), secret: formDecoded(secret) }
}

function formDecoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw new TokenError('invalid_client', 'The Authorization header is not form-encoded.')
  }
}
