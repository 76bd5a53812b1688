/** Keys and clients, the key that signs tokens, and what callers have used of their limits. */
import type { Migration } from '../migration.ts'

export const keysAndLimits: Migration = {
  number: 1,
  name: 'keys and limits',
  statements: [
    // A row is never deleted: a server that has ever had a key does not fall open when the last one is revoked.
    `CREATE TABLE credentials (
      id TEXT PRIMARY KEY,
      kind TEXT NOT NULL CHECK (kind IN ('key', 'client')),
      name TEXT NOT NULL,
      hash TEXT NOT NULL,
      tier TEXT NOT NULL,
      scopes TEXT NOT NULL,
      requests_per_minute INTEGER,
      tokens_per_hour INTEGER,
      created_at INTEGER NOT NULL,
      expires_at INTEGER,
      revoked_at INTEGER,
      last_used_at INTEGER
    ) STRICT`,
    `CREATE TABLE signing_keys (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      kid TEXT NOT NULL,
      private_jwk TEXT NOT NULL,
      created_at INTEGER NOT NULL
    ) STRICT`,
    `CREATE TABLE limit_buckets (
      caller TEXT NOT NULL,
      kind TEXT NOT NULL CHECK (kind IN ('requests', 'tokens')),
      bucket INTEGER NOT NULL,
      used INTEGER NOT NULL,
      PRIMARY KEY (kind, bucket, caller)
    ) STRICT, WITHOUT ROWID`,
  ],
}
