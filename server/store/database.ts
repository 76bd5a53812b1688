/**
 * The server's state in one SQLite file: keys, limits, the ledger, batch jobs. A thin layer over `@libsql/client`,
 * for three of its habits. Its calls are synchronous underneath, so statements must be short. A second connection to
 * ":memory:" is another, empty database, and a `PRAGMA` holds for one connection only, so there is exactly one. And an
 * open transaction holds that one: other calls would fail, so here they wait for their turn.
 */
import { chmodSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  type Client,
  createClient,
  type InArgs,
  type ResultSet,
  type Transaction,
} from '@libsql/client/sqlite3'
import { EngineError } from '../../engine/errors.ts'
import { IN_MEMORY } from './data-folder.ts'
import type { Migration } from './migration.ts'
import { MIGRATIONS } from './migrations/index.ts'

/** A statement and its arguments; values never stand in the text. */
export type Statement = string | { readonly sql: string; readonly args: InArgs }

/** How long a call waits for another process, such as `keys create`, to finish writing. It holds up everything else. */
const BUSY_MS = 2000

export class Database {
  readonly #client: Client
  #tail: Promise<unknown> = Promise.resolve()

  private constructor(client: Client) {
    this.#client = client
  }

  /**
   * Opens (or makes) a database and brings its schema up to date.
   * @param file its path, or ":memory:"
   * @throws EngineError `bad_request` when the file cannot be opened, is no database, or is of a newer version
   */
  static async open(
    file: string,
    migrations: readonly Migration[] = MIGRATIONS,
  ): Promise<Database> {
    let database: Database | undefined
    try {
      database = new Database(connect(file))
      await database.#prepare()
      await migrate(database, migrations)
      return database
    } catch (cause) {
      database?.close()
      if (cause instanceof EngineError) throw cause
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new EngineError(
        'bad_request',
        `The database ${file} cannot be opened: ${why}. Check the folder's rights, or choose another with --data.`,
        { cause, param: 'data' },
      )
    }
  }

  /** One statement. */
  execute(sql: string, args: InArgs = []): Promise<ResultSet> {
    return this.#turn(() => this.#client.execute({ sql, args }))
  }

  /** Several statements as one transaction: all of them, or none. */
  batch(statements: readonly Statement[]): Promise<ResultSet[]> {
    return this.#turn(() => this.#client.batch([...statements], 'write'))
  }

  /**
   * A transaction whose statements depend on each other; rolled back when `work` throws. Inside, only the transaction
   * may be used: a call to the database would wait for the transaction, which waits for the call.
   */
  transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    return this.#turn(async () => {
      const transaction = await this.#client.transaction('write')
      try {
        const result = await work(transaction)
        await transaction.commit()
        return result
      } finally {
        transaction.close()
      }
    })
  }

  /** Waits for what is under way. Later calls reject. Idempotent. */
  async closeWhenIdle(): Promise<void> {
    await this.#tail
    this.close()
  }

  close(): void {
    this.#client.close()
  }

  #turn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work)
    this.#tail = result.catch(() => undefined)
    return result
  }

  async #prepare(): Promise<void> {
    await this.execute('PRAGMA journal_mode = WAL')
    // With WAL a commit survives the death of the process; only a power cut may take the last ones, never the file.
    await this.execute('PRAGMA synchronous = NORMAL')
    await this.execute('PRAGMA foreign_keys = ON')
  }
}

function connect(file: string): Client {
  if (file === IN_MEMORY) return createClient({ url: IN_MEMORY, concurrency: 1 })
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const client = createClient({
    // As a URL, because a path may hold `?`, `#` or `%`.
    url: pathToFileURL(file).href,
    concurrency: 1,
    timeout: BUSY_MS,
  })
  // Hashes of keys, and the key that signs tokens: nobody else's business.
  chmodSync(file, 0o600)
  return client
}

async function migrate(database: Database, migrations: readonly Migration[]): Promise<void> {
  await database.execute(
    'CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT',
  )
  const known = new Set(migrations.map(({ number }) => number))
  if (known.size < migrations.length) throw new Error('two migrations have the same number')
  for (const migration of [...migrations].sort((a, b) => a.number - b.number)) {
    await apply(database, migration)
  }
  const { rows } = await database.execute('SELECT number, name FROM migrations')
  const newer = rows.find(({ number }) => !known.has(Number(number)))
  if (newer) {
    throw new EngineError(
      'bad_request',
      `The database was written by a newer illuminator (it has step ${newer.number}, "${newer.name}", which this one does not know). Update illuminator, or choose another folder with --data.`,
      { param: 'data' },
    )
  }
}

/** In one batch and not step by step: two processes may start at once, and then the second finds the first's row. */
async function apply(database: Database, migration: Migration): Promise<void> {
  const { number, name, statements } = migration
  const insert = 'INSERT INTO migrations (number, name, applied_at) VALUES (?, ?, ?)'
  if (await isApplied(database, number)) return
  try {
    await database.batch([{ sql: insert, args: [number, name, Date.now()] }, ...statements])
  } catch (error) {
    if (!(await isApplied(database, number))) throw error
  }
}

async function isApplied(database: Database, number: number): Promise<boolean> {
  const sql = 'SELECT 1 FROM migrations WHERE number = ?'
  const { rows } = await database.execute(sql, [number])
  return rows.length > 0
}
