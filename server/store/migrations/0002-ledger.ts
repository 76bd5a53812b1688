/** Every answer, once, and the sums of each model that `/models/{id}/stats` tells. */
import type { Migration } from '../migration.ts'

export const ledger: Migration = {
  number: 2,
  name: 'ledger',
  statements: [
    // A client chooses its request ids and may repeat them, so they are no key.
    `CREATE TABLE ledger (
      id INTEGER PRIMARY KEY,
      request_id TEXT NOT NULL,
      caller TEXT NOT NULL,
      endpoint TEXT NOT NULL,
      model TEXT NOT NULL,
      started_at INTEGER NOT NULL,
      total_ms REAL NOT NULL,
      first_token_ms REAL,
      prompt_tokens INTEGER NOT NULL,
      cached_tokens INTEGER NOT NULL,
      completion_tokens INTEGER NOT NULL,
      outcome TEXT NOT NULL CHECK (outcome IN ('completed', 'cancelled', 'failed')),
      code TEXT
    ) STRICT`,
    'CREATE INDEX ledger_request ON ledger (request_id)',
    'CREATE INDEX ledger_caller ON ledger (caller, started_at)',
    // Kept beside the ledger and written with it: summing a million rows would hold up everybody's tokens.
    `CREATE TABLE model_usage (
      model TEXT PRIMARY KEY,
      requests INTEGER NOT NULL,
      failed INTEGER NOT NULL,
      prompt_tokens INTEGER NOT NULL,
      completion_tokens INTEGER NOT NULL,
      total_ms REAL NOT NULL
    ) STRICT, WITHOUT ROWID`,
  ],
}
