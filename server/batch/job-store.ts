/**
 * Batch jobs in the database. A prompt's answer and the job's counts are one transaction, and a prompt that has an answer
 * never takes another: after `kill -9` those without one are asked again, and each is answered exactly once.
 */
import { randomUUID } from 'node:crypto'
import type { Row } from '@libsql/client/sqlite3'
import { type Caller, SCOPES } from '../auth/caller.ts'
import type { Database } from '../store/database.ts'
import type { AnsweredItem, BatchJob, LineError, NewItem, NewJob, PendingItem } from './job.ts'

const COLUMNS =
  'id, dialect, caller_id, name, endpoint, status, total, completed, failed, created_at, started_at, finished_at, input_file, metadata, errors'

export class JobStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /** A job with its prompts, or, with `errors`, one that failed before it began. */
  async create(
    job: NewJob,
    items: readonly NewItem[],
    errors: readonly LineError[] = [],
  ): Promise<BatchJob> {
    const prefix = job.dialect === 'openai' ? 'batch_' : 'job_'
    const id = prefix + randomUUID().replaceAll('-', '')
    const isBroken = errors.length > 0
    const { caller, dialect, name, endpoint, inputFile, metadata } = job
    const { scopes: _, ...kept } = caller
    const now = Date.now()
    await this.#database.batch([
      {
        sql: `INSERT INTO batch_jobs (id, dialect, caller_id, caller, name, endpoint, status, total, created_at, finished_at, input_file, metadata, errors)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        args: [
          id,
          dialect,
          caller.id,
          JSON.stringify(kept),
          name,
          endpoint,
          isBroken ? 'failed' : 'queued',
          items.length,
          now,
          isBroken ? now : null,
          inputFile,
          metadata && JSON.stringify(metadata),
          isBroken ? JSON.stringify(errors) : null,
        ],
      },
      {
        // One statement for all: a statement each would hold up everybody's tokens.
        sql: `INSERT INTO batch_items (job, place, custom_id, body)
          SELECT ?, key, value ->> 'customId', value -> 'body' FROM json_each(?)`,
        args: [id, JSON.stringify(isBroken ? [] : items)],
      },
    ])
    return (await this.find(id, caller.id)) as BatchJob
  }

  /** A job, if it is this caller's; null asks for anybody's. */
  async find(id: string, callerId: string | null): Promise<BatchJob | null> {
    const { rows } = await this.#database.execute(
      `SELECT ${COLUMNS} FROM batch_jobs WHERE id = ? AND caller_id = coalesce(?, caller_id)`,
      [id, callerId],
    )
    return rows[0] ? jobOf(rows[0]) : null
  }

  /** The latest first; those after `after` (an id). */
  async list(
    dialect: BatchJob['dialect'],
    callerId: string,
    limit: number,
    after: string | null,
  ): Promise<BatchJob[]> {
    const { rows } = await this.#database.execute(
      `SELECT ${COLUMNS} FROM batch_jobs
        WHERE caller_id = ? AND dialect = ?
          AND number < coalesce((SELECT number FROM batch_jobs WHERE id = ?), 9e18)
        ORDER BY number DESC LIMIT ?`,
      [callerId, dialect, after, limit],
    )
    return rows.map(jobOf)
  }

  /** Prompts without an answer, the oldest job's first; none of these callers. */
  async pending(limit: number, except: readonly string[] = []): Promise<PendingItem[]> {
    const { rows } = await this.#database.execute(
      `SELECT job, place, endpoint, caller, body, batch_jobs.status AS job_status
        FROM batch_jobs JOIN batch_items ON job = id AND batch_items.status = 'pending'
        WHERE batch_jobs.status IN ('queued', 'running')
          AND caller_id NOT IN (SELECT value FROM json_each(?))
        ORDER BY number, place LIMIT ?`,
      [JSON.stringify(except), limit],
    )
    return rows.map((row) => ({
      job: String(row.job),
      isFirst: row.job_status === 'queued',
      place: Number(row.place),
      endpoint: String(row.endpoint),
      caller: callerOf(String(row.caller)),
      body: String(row.body),
    }))
  }

  /** Ends the jobs of those whose key was revoked. */
  async cancelRevoked(): Promise<void> {
    await this.#database.execute(
      `UPDATE batch_jobs SET status = 'cancelled', finished_at = ?
        WHERE status IN ('queued', 'running')
          AND caller_id IN (SELECT id FROM credentials WHERE revoked_at IS NOT NULL)`,
      [Date.now()],
    )
  }

  /** A job's first prompt is asked. */
  async begin(job: string): Promise<void> {
    await this.#database.execute(
      "UPDATE batch_jobs SET status = 'running', started_at = ? WHERE id = ? AND status = 'queued'",
      [Date.now(), job],
    )
  }

  /** Takes an answer; one that comes a second time, or to a job that is over, changes nothing. */
  async answer(job: string, item: Omit<AnsweredItem, 'customId'>): Promise<void> {
    const { place, status, httpStatus, requestId, answer } = item
    await this.#database.batch([
      {
        sql: `UPDATE batch_items SET status = ?, http_status = ?, request_id = ?, answer = ?
          WHERE job = ? AND place = ? AND status = 'pending'
            AND EXISTS (SELECT 1 FROM batch_jobs WHERE id = ? AND status = 'running')`,
        args: [status, httpStatus, requestId, JSON.stringify(answer), job, place, job],
      },
      {
        sql: `UPDATE batch_jobs SET ${status} = ${status} + 1 WHERE id = ? AND changes() > 0`,
        args: [job],
      },
      {
        sql: `UPDATE batch_jobs SET status = iif(completed > 0, 'completed', 'failed'), finished_at = ?
          WHERE id = ? AND status = 'running' AND completed + failed = total`,
        args: [Date.now(), job],
      },
    ])
  }

  /** False: it was over already. */
  async cancel(id: string): Promise<boolean> {
    const { rowsAffected } = await this.#database.execute(
      "UPDATE batch_jobs SET status = 'cancelled', finished_at = ? WHERE id = ? AND status IN ('queued', 'running')",
      [Date.now(), id],
    )
    return rowsAffected > 0
  }

  /** Answered prompts in the order in which they were given. */
  async answers(id: string, from: number, limit: number): Promise<AnsweredItem[]> {
    const { rows } = await this.#database.execute(
      `SELECT place, custom_id, status, http_status, request_id, answer FROM batch_items
        WHERE job = ? AND place >= ? AND status <> 'pending' ORDER BY place LIMIT ?`,
      [id, from, limit],
    )
    return rows.map((row) => ({
      place: Number(row.place),
      customId: textOf(row.custom_id),
      status: row.status as AnsweredItem['status'],
      httpStatus: Number(row.http_status),
      requestId: String(row.request_id),
      answer: JSON.parse(String(row.answer)) as unknown,
    }))
  }
}

const textOf = (value: unknown): string | null => (value === null ? null : String(value))
const numberOf = (value: unknown): number | null => (value === null ? null : Number(value))

function jobOf(row: Row): BatchJob {
  const metadata = textOf(row.metadata)
  const errors = textOf(row.errors)
  return {
    id: String(row.id),
    dialect: row.dialect as BatchJob['dialect'],
    callerId: String(row.caller_id),
    name: textOf(row.name),
    endpoint: String(row.endpoint),
    status: row.status as BatchJob['status'],
    total: Number(row.total),
    completed: Number(row.completed),
    failed: Number(row.failed),
    createdAt: Number(row.created_at),
    startedAt: numberOf(row.started_at),
    finishedAt: numberOf(row.finished_at),
    inputFile: textOf(row.input_file),
    metadata: metadata === null ? null : (JSON.parse(metadata) as Record<string, string>),
    errors: errors === null ? [] : (JSON.parse(errors) as LineError[]),
  }
}

/** As it was when the job came. What it may do was checked then. */
function callerOf(text: string): Caller {
  return { ...(JSON.parse(text) as Omit<Caller, 'scopes'>), scopes: new Set(SCOPES) }
}
