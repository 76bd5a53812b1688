/** The ledger: each answer once, in the database, a moment after it ended; and what a model's answers sum up to. */
import type { Database, Statement } from '../store/database.ts'
import { GroupCommit } from '../store/group-commit.ts'
import type { Answered, OnAnswered } from './answered.ts'

export interface ModelUsage {
  readonly requests: number
  readonly failed: number
  readonly promptTokens: number
  readonly completionTokens: number
  /** Milliseconds of all answers, one after the other. */
  readonly total: number
}

const GATHER_MS = 100

export class Ledger {
  readonly #database: Database
  readonly #journal: GroupCommit<Answered>

  constructor(database: Database, log: (line: string) => void) {
    this.#database = database
    this.#journal = new GroupCommit(database, {
      what: 'ledger',
      log,
      delayMs: GATHER_MS,
      toStatements: (answers) => answers.flatMap((answer) => [entry(answer), sum(answer)]),
    })
  }

  readonly record: OnAnswered = (answered) => this.#journal.add(answered)

  /** Resolves when everything recorded so far is in the database. */
  written(): Promise<void> {
    return this.#journal.written()
  }

  /** The sums of a model; zeros when it has answered nothing. */
  async usageOf(model: string): Promise<ModelUsage> {
    await this.written()
    const sql = 'SELECT * FROM model_usage WHERE model = ?'
    const { rows } = await this.#database.execute(sql, [model])
    const [row] = rows
    return {
      requests: Number(row?.requests ?? 0),
      failed: Number(row?.failed ?? 0),
      promptTokens: Number(row?.prompt_tokens ?? 0),
      completionTokens: Number(row?.completion_tokens ?? 0),
      total: Number(row?.total_ms ?? 0),
    }
  }
}

function entry(answer: Answered): Statement {
  return {
    sql: `INSERT INTO ledger (request_id, caller, endpoint, model, started_at, total_ms, first_token_ms,
            prompt_tokens, cached_tokens, completion_tokens, outcome, code)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    args: [
      ...[answer.requestId, answer.caller.id, answer.endpoint, answer.model, answer.startedAt],
      ...[answer.total, answer.firstToken, answer.promptTokens, answer.cachedTokens],
      ...[answer.completionTokens, answer.outcome, answer.code],
    ],
  }
}

function sum(answer: Answered): Statement {
  return {
    sql: `INSERT INTO model_usage (model, requests, failed, prompt_tokens, completion_tokens, total_ms)
          VALUES (?, 1, ?, ?, ?, ?)
          ON CONFLICT DO UPDATE SET requests = requests + 1, failed = failed + excluded.failed,
            prompt_tokens = prompt_tokens + excluded.prompt_tokens,
            completion_tokens = completion_tokens + excluded.completion_tokens,
            total_ms = total_ms + excluded.total_ms`,
    args: [
      ...[answer.model, answer.outcome === 'failed' ? 1 : 0],
      ...[answer.promptTokens, answer.completionTokens, answer.total],
    ],
  }
}
