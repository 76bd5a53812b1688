/** Files that clients upload for batches, in the database: they live and die with the jobs that read them. */
import { randomUUID } from 'node:crypto'
import type { Row } from '@libsql/client/sqlite3'
import type { Database } from '../store/database.ts'

export interface StoredFile {
  readonly id: string
  readonly name: string
  readonly bytes: number
  /** Epoch milliseconds. */
  readonly createdAt: number
}

const COLUMNS = 'id, name, bytes, created_at'

export class FileStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async create(callerId: string, name: string, content: Uint8Array): Promise<StoredFile> {
    const file = {
      id: `file-${randomUUID().replaceAll('-', '')}`,
      name,
      bytes: content.byteLength,
      createdAt: Date.now(),
    }
    await this.#database.execute(
      'INSERT INTO files (id, caller_id, name, bytes, created_at, content) VALUES (?, ?, ?, ?, ?, ?)',
      [file.id, callerId, name, file.bytes, file.createdAt, content],
    )
    return file
  }

  async find(id: string, callerId: string): Promise<StoredFile | null> {
    const { rows } = await this.#database.execute(
      `SELECT ${COLUMNS} FROM files WHERE id = ? AND caller_id = ?`,
      [id, callerId],
    )
    return rows[0] ? fileOf(rows[0]) : null
  }

  async content(id: string, callerId: string): Promise<Uint8Array | null> {
    const { rows } = await this.#database.execute(
      'SELECT content FROM files WHERE id = ? AND caller_id = ?',
      [id, callerId],
    )
    return rows[0] ? new Uint8Array(rows[0].content as ArrayBuffer) : null
  }

  /** The latest first. */
  async list(callerId: string, limit: number): Promise<StoredFile[]> {
    const { rows } = await this.#database.execute(
      `SELECT ${COLUMNS} FROM files WHERE caller_id = ? ORDER BY created_at DESC, id LIMIT ?`,
      [callerId, limit],
    )
    return rows.map(fileOf)
  }

  /** False: there was none. */
  async remove(id: string, callerId: string): Promise<boolean> {
    const { rowsAffected } = await this.#database.execute(
      'DELETE FROM files WHERE id = ? AND caller_id = ?',
      [id, callerId],
    )
    return rowsAffected > 0
  }
}

const fileOf = (row: Row): StoredFile => ({
  id: String(row.id),
  name: String(row.name),
  bytes: Number(row.bytes),
  createdAt: Number(row.created_at),
})
