/** Where a request carries its key or token. */
import { badCredential } from './refusals.ts'

/** RFC 6750's alphabet. */
const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/

/**
 * `Authorization: Bearer …` or, as some clients have it, `x-api-key`; the first counts where there are both.
 * @returns null: there is none
 * @throws ApiError `unauthenticated` for another scheme, or for what cannot be a key
 */
export function credentialOf(headers: Headers): string | null {
  const authorization = headers.get('authorization')
  if (authorization === null) return headers.get('x-api-key')?.trim() || null
  const [, scheme = '', value = ''] = /^(\S*)\s*(.*)$/s.exec(authorization.trim()) ?? []
  if (scheme.toLowerCase() !== 'bearer') {
    throw badCredential("The Authorization header must read 'Bearer <key>'.")
  }
  if (!TOKEN.test(value)) throw badCredential('The API key is not valid.')
  return value
}
