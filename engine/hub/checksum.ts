/** Hashes of files as the hub states them, read in pieces. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'

/** SHA-256 of the content, or git's SHA-1 of it as a blob; lower-case hex. */
export interface Checksum {
  kind: 'sha256' | 'git-sha1'
  hex: string
}

/** The hash (hex) of a file. */
export async function checksumFile(path: string, kind: Checksum['kind']): Promise<string> {
  const hash = createHash(kind === 'sha256' ? 'sha256' : 'sha1')
  if (kind === 'git-sha1') hash.update(`blob ${(await stat(path)).size}\0`)
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk)
  return hash.digest('hex')
}
