/**
 * Access tokens that this server makes itself (RFC 9068): for clients that proved themselves at `/oauth/token`. The
 * key that signs is made once and kept in the database, so that tokens outlive a restart.
 */
import { randomUUID } from 'node:crypto'
import {
  calculateJwkThumbprint,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  type JSONWebKeySet,
  type JWK,
  type JWTPayload,
  jwtVerify,
  SignJWT,
} from 'jose'
import type { Database } from '../store/database.ts'
import { checkSize, refusalOf } from './jwt.ts'

/** Seconds that a token is good for. */
export const TOKEN_SECONDS = 3600

const ALGORITHM = 'ES256'
const TYPE = 'at+jwt'
/** Issuer and audience: the tokens are for nobody else. */
const OURSELVES = 'illuminator'

interface SigningKey {
  readonly kid: string
  readonly privateKey: JWK
  readonly publicKey: JWK
}

export class TokenIssuer {
  readonly #database: Database
  readonly #now: () => number
  #key: Promise<SigningKey> | null = null

  constructor(database: Database, now: () => number = Date.now) {
    this.#database = database
    this.#now = now
  }

  /** A token for a client. */
  async issue(client: string, scopes: readonly string[]): Promise<string> {
    const { kid, privateKey } = await this.#signingKey()
    const now = Math.floor(this.#now() / 1000)
    return new SignJWT({ client_id: client, scope: scopes.join(' ') })
      .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid })
      .setIssuer(OURSELVES)
      .setAudience(OURSELVES)
      .setSubject(client)
      .setIssuedAt(now)
      .setExpirationTime(now + TOKEN_SECONDS)
      .setJti(randomUUID())
      .sign(privateKey)
  }

  /** Whether a token says that this server made it; whether that is true, `verify` finds out. */
  async isOurs(token: string): Promise<boolean> {
    return keyIdOf(token) === (await this.#signingKey()).kid
  }

  /**
   * The claims of a token of ours.
   * @throws ApiError `unauthenticated`
   */
  async verify(token: string): Promise<JWTPayload> {
    try {
      checkSize(token)
      const { payload } = await jwtVerify(token, (await this.#signingKey()).publicKey, {
        algorithms: [ALGORITHM],
        typ: TYPE,
        issuer: OURSELVES,
        audience: OURSELVES,
        requiredClaims: ['exp', 'sub', 'scope'],
        currentDate: new Date(this.#now()),
      })
      return payload
    } catch (error) {
      throw refusalOf(error)
    }
  }

  /** What others check our tokens with. */
  async publicKeys(): Promise<JSONWebKeySet> {
    return { keys: [(await this.#signingKey()).publicKey] }
  }

  #signingKey(): Promise<SigningKey> {
    this.#key ??= this.#load().catch((error: unknown) => {
      this.#key = null
      throw error
    })
    return this.#key
  }

  async #load(): Promise<SigningKey> {
    const stored = await this.#stored()
    if (stored) return stored
    const pair = await generateKeyPair(ALGORITHM, { extractable: true })
    const jwk = await exportJWK(pair.privateKey)
    // Another process may have been quicker; its key is then ours too.
    await this.#database.execute(
      'INSERT OR IGNORE INTO signing_keys (id, kid, private_jwk, created_at) VALUES (1, ?, ?, ?)',
      [await calculateJwkThumbprint(jwk), JSON.stringify(jwk), this.#now()],
    )
    const ours = await this.#stored()
    if (!ours) throw new Error('the key that signs tokens could not be kept')
    return ours
  }

  async #stored(): Promise<SigningKey | null> {
    const { rows } = await this.#database.execute('SELECT kid, private_jwk FROM signing_keys')
    const [row] = rows
    if (!row) return null
    const kid = String(row.kid)
    const privateKey = JSON.parse(String(row.private_jwk)) as JWK
    const { d: _, ...open } = privateKey
    return { kid, privateKey, publicKey: { ...open, kid, alg: ALGORITHM, use: 'sig' } }
  }
}

function keyIdOf(token: string): string | undefined {
  try {
    return decodeProtectedHeader(token).kid
  } catch {
    // No token at all: whoever checks it next says so.
    return undefined
  }
}
