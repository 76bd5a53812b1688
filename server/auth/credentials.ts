/**
 * Keys and OAuth clients in the database. Each check reads it afresh: that takes less than a tenth of a millisecond,
 * and a key that another process revokes is dead with the very next request.
 */
import type { Row } from '@libsql/client/sqlite3'
import { isTier, limitsOf, type Tier } from '../limits/tiers.ts'
import type { Database } from '../store/database.ts'
import { type Caller, type CallerLimits, isScope, type Scope } from './caller.ts'
import { type CredentialKind, idOfKey, matches, newSecret } from './secret.ts'

export interface NewCredential {
  readonly kind: CredentialKind
  readonly name: string
  readonly tier: Tier
  readonly scopes: readonly Scope[]
  /** Instead of the tier's; null: the tier's. */
  readonly limits: CallerLimits
  /** Epoch milliseconds; null: never. */
  readonly expiresAt: number | null
}

export interface Credential extends NewCredential {
  readonly id: string
  readonly createdAt: number
  readonly revokedAt: number | null
  /** To the minute. */
  readonly lastUsedAt: number | null
}

/** Why a secret does not open; the first may be a guess, the others are told to whoever had it. */
export type Refusal = 'unknown' | 'revoked' | 'expired'

const TOUCH_MS = 60_000
/** Of nothing; compared with where there is no such id, so that the answer takes as long. */
const NO_HASH = '0'.repeat(64)

export class Credentials {
  readonly #database: Database
  readonly #now: () => number
  #exist = false

  constructor(database: Database, now: () => number = Date.now) {
    this.#database = database
    this.#now = now
  }

  /** The secret is in the answer and nowhere else. */
  async create(spec: NewCredential): Promise<{ credential: Credential; secret: string }> {
    const { id, secret, hash } = newSecret(spec.kind)
    const { kind, name, tier, scopes, limits, expiresAt } = spec
    const createdAt = this.#now()
    await this.#database.execute(
      `INSERT INTO credentials (id, kind, name, hash, tier, scopes, requests_per_minute, tokens_per_hour, created_at, expires_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        ...[id, kind, name, hash, tier, scopes.join(' ')],
        ...[limits.requestsPerMinute, limits.tokensPerHour, createdAt, expiresAt],
      ],
    )
    return { credential: { ...spec, id, createdAt, revokedAt: null, lastUsedAt: null }, secret }
  }

  /** All of them, the oldest first. */
  async list(): Promise<Credential[]> {
    const { rows } = await this.#database.execute(
      'SELECT * FROM credentials ORDER BY created_at, id',
    )
    return rows.map(fromRow)
  }

  /** False: there is none of this id. Twice is as good as once. */
  async revoke(id: string): Promise<boolean> {
    const sql = 'UPDATE credentials SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?'
    const { rowsAffected } = await this.#database.execute(sql, [this.#now(), id])
    return rowsAffected > 0
  }

  /** Whether there is one, or ever was: revoking the last does not open a server to everybody. */
  async exist(): Promise<boolean> {
    if (this.#exist) return true
    const { rows } = await this.#database.execute('SELECT 1 FROM credentials LIMIT 1')
    this.#exist = rows.length > 0
    return this.#exist
  }

  /** Whose key this is. */
  checkKey(secret: string): Promise<Credential | Refusal> {
    return this.#check('key', idOfKey(secret) ?? '', secret)
  }

  /** The client with this id and secret. */
  checkClient(id: string, secret: string): Promise<Credential | Refusal> {
    return this.#check('client', id, secret)
  }

  /** A client whose token was checked already. */
  async clientOfToken(id: string): Promise<Credential | Refusal> {
    const row = await this.#row('client', id)
    return row ? this.#alive(fromRow(row)) : 'unknown'
  }

  async #check(kind: CredentialKind, id: string, secret: string): Promise<Credential | Refusal> {
    const row = await this.#row(kind, id)
    const fits = matches(secret, row ? String(row.hash) : NO_HASH)
    return row && fits ? this.#alive(fromRow(row)) : 'unknown'
  }

  async #row(kind: CredentialKind, id: string): Promise<Row | undefined> {
    const sql = 'SELECT * FROM credentials WHERE id = ? AND kind = ?'
    return (await this.#database.execute(sql, [id, kind])).rows[0]
  }

  async #alive(credential: Credential): Promise<Credential | Refusal> {
    const now = this.#now()
    if (credential.revokedAt !== null) return 'revoked'
    if (credential.expiresAt !== null && credential.expiresAt <= now) return 'expired'
    if (now - (credential.lastUsedAt ?? 0) >= TOUCH_MS) {
      const sql = 'UPDATE credentials SET last_used_at = ? WHERE id = ?'
      await this.#database.execute(sql, [now, credential.id])
    }
    return credential
  }
}

/** What a credential may do, as the rest of the server sees it. */
export function callerOf({ id, name, tier, scopes, limits }: Credential): Caller {
  return { id, name, tier, scopes: new Set(scopes), limits: limitsOf(tier, limits) }
}

function fromRow(row: Row): Credential {
  const tier = String(row.tier)
  if (!isTier(tier)) throw new Error(`the database has a key of tier "${tier}", which there is not`)
  const time = (value: unknown) => (value === null ? null : Number(value))
  return {
    id: String(row.id),
    kind: row.kind === 'client' ? 'client' : 'key',
    name: String(row.name),
    tier,
    scopes: String(row.scopes).split(' ').filter(isScope),
    limits: {
      requestsPerMinute: time(row.requests_per_minute),
      tokensPerHour: time(row.tokens_per_hour),
    },
    createdAt: Number(row.created_at),
    expiresAt: time(row.expires_at),
    revokedAt: time(row.revoked_at),
    lastUsedAt: time(row.last_used_at),
  }
}
