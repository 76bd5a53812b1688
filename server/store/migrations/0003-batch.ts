/** Batch jobs, their prompts with what became of them, and the files that OpenAI's dialect brings them in. */
import type { Migration } from '../migration.ts'

export const batch: Migration = {
  number: 3,
  name: 'batch jobs',
  statements: [
    `CREATE TABLE batch_jobs (
      number INTEGER PRIMARY KEY,
      id TEXT NOT NULL UNIQUE,
      dialect TEXT NOT NULL CHECK (dialect IN ('contract', 'openai')),
      caller_id TEXT NOT NULL,
      caller TEXT NOT NULL,
      name TEXT,
      endpoint TEXT NOT NULL,
      status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
      total INTEGER NOT NULL,
      completed INTEGER NOT NULL DEFAULT 0,
      failed INTEGER NOT NULL DEFAULT 0,
      created_at INTEGER NOT NULL,
      started_at INTEGER,
      finished_at INTEGER,
      input_file TEXT,
      metadata TEXT,
      errors TEXT
    ) STRICT`,
    // Of all jobs most are over.
    "CREATE INDEX batch_open ON batch_jobs (number) WHERE status IN ('queued', 'running')",
    'CREATE INDEX batch_jobs_caller ON batch_jobs (caller_id, number)',
    `CREATE TABLE batch_items (
      job TEXT NOT NULL REFERENCES batch_jobs (id) ON DELETE CASCADE,
      place INTEGER NOT NULL,
      custom_id TEXT,
      body TEXT NOT NULL,
      status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'completed', 'failed')),
      http_status INTEGER,
      answer TEXT,
      request_id TEXT,
      PRIMARY KEY (job, place)
    ) STRICT, WITHOUT ROWID`,
    // Of a long job most prompts are answered: the next one must not be searched among them.
    "CREATE INDEX batch_pending ON batch_items (job, place) WHERE status = 'pending'",
    `CREATE TABLE files (
      id TEXT PRIMARY KEY,
      caller_id TEXT NOT NULL,
      name TEXT NOT NULL,
      bytes INTEGER NOT NULL,
      created_at INTEGER NOT NULL,
      content BLOB NOT NULL
    ) STRICT`,
  ],
}
