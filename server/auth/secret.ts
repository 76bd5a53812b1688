/**
 * The secrets of keys and clients: how they look, and how one is compared. A key carries its id, so that it is found
 * without a search by secret; 192 random bits need no slow hash.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

export type CredentialKind = 'key' | 'client'

export interface NewSecret {
  readonly id: string
  readonly secret: string
  /** SHA-256 of the secret, in hexadecimal: all that is stored. */
  readonly hash: string
}

const ID_BYTES = 6
const SECRET_BYTES = 24
const KEY = /^sk-([0-9a-f]{12})[0-9a-f]{48}$/

/** `sk-…` for a key; for a client an id, `client_…`, and a secret, `cs-…`. */
export function newSecret(kind: CredentialKind): NewSecret {
  const id = randomBytes(ID_BYTES).toString('hex')
  const random = randomBytes(SECRET_BYTES).toString('hex')
  const secret = kind === 'key' ? `sk-${id}${random}` : `cs-${random}`
  return { id: `${kind}_${id}`, secret, hash: hashOf(secret) }
}

/** The id that a key carries; `null` when it does not look like one of ours. */
export function idOfKey(secret: string): string | null {
  const [, id] = KEY.exec(secret) ?? []
  return id === undefined ? null : `key_${id}`
}

/** In a time that does not depend on the secrets. */
export function matches(secret: string, hash: string): boolean {
  return timingSafeEqual(Buffer.from(hashOf(secret), 'hex'), Buffer.from(hash, 'hex'))
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}
