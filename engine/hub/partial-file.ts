/**
 * A file that has not come whole yet. A note beside it says of which content its bytes are the beginning, so that they
 * are never continued with those of another version.
 */
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isJsonObject } from '../weights/json.ts'
import type { Checksum } from './checksum.ts'

/** What the finished file must be. */
export interface Expected {
  bytes: number
  hash: Checksum
}

export interface Beginning {
  /** Bytes that are there and can be kept. */
  bytes: number
  /** The server's strong validator of the content they came from. */
  etag: string | null
}

/** What can be kept of the file at `path`; what cannot is deleted. A whole file is kept: its hash will tell. */
export async function beginningOf(path: string, expected: Expected): Promise<Beginning> {
  const bytes = await sizeOf(path)
  if (bytes === expected.bytes || bytes === 0) return { bytes, etag: null }
  const note = await readNote(path)
  if (bytes < expected.bytes && note?.hash === expected.hash.hex) return { bytes, etag: note.etag }
  await discard(path)
  return { bytes: 0, etag: null }
}

/** Notes what the bytes that now come are the beginning of. */
export async function noteContent(
  path: string,
  { hash }: Expected,
  etag: string | null,
): Promise<void> {
  await writeFile(noteOf(path), JSON.stringify({ hash: hash.hex, etag }))
}

/** The file is whole. */
export async function removeNote(path: string): Promise<void> {
  await rm(noteOf(path), { force: true })
}

/** Deletes the file and its note. */
export async function discard(path: string): Promise<void> {
  await rm(path, { force: true })
  await removeNote(path)
}

/** Bytes of a file; 0 where there is none. */
export async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => null))?.size ?? 0
}

const noteOf = (path: string): string => join(dirname(path), `.${basename(path)}.partial.json`)

async function readNote(path: string): Promise<{ hash: string; etag: string | null } | null> {
  try {
    const note: unknown = JSON.parse(await readFile(noteOf(path), 'utf8'))
    if (!isJsonObject(note) || typeof note.hash !== 'string') return null
    return { hash: note.hash, etag: typeof note.etag === 'string' ? note.etag : null }
  } catch {
    // No note, or half of one: the bytes may be of anything, and the caller begins anew.
    return null
  }
}
