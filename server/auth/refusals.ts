/** How a request without the right to what it asks for is turned away: RFC 6750 in the headers, our shape in the body. */
import { ApiError } from '../contract/errors.ts'
import type { Scope } from './caller.ts'

/** Nothing was presented: RFC 6750 then names no error, only the way in. */
export function noCredential(): ApiError {
  return new ApiError(
    'unauthenticated',
    "This server needs an API key: send it as 'Authorization: Bearer <key>'. The operator makes one with 'illuminator keys create'.",
    null,
    { 'www-authenticate': 'Bearer realm="illuminator"' },
  )
}

/** What was presented is no good. `why` is a sentence; it repeats nothing of the credential. */
export function badCredential(why: string): ApiError {
  // A quoted string of a header holds ASCII without quotes.
  const description = why.replace(/[^\x20-\x7e]|["\\]/g, "'")
  return new ApiError('unauthenticated', why, null, {
    'www-authenticate': `Bearer realm="illuminator", error="invalid_token", error_description="${description}"`,
  })
}

export function missingScope(scope: Scope): ApiError {
  return new ApiError(
    'forbidden',
    `This needs the scope '${scope}', which the key does not have.`,
    null,
    {
      'www-authenticate': `Bearer realm="illuminator", error="insufficient_scope", scope="${scope}"`,
    },
  )
}
