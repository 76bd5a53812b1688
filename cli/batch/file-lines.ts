/** Lines of a file that may be too large for memory, with where they lie. */
import type { FileHandle } from 'node:fs/promises'

export interface FileLine {
  readonly start: number
  /** Without the line break. */
  readonly bytes: Buffer
  /** False for a last line that no line break ends. */
  readonly isEnded: boolean
}

const LINE_END = 0x0a
const PIECE = 1 << 20

export async function* linesOf(file: FileHandle): AsyncGenerator<FileLine> {
  let pending: Buffer[] = []
  let start = 0
  let at = 0
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(PIECE), 0, PIECE, at)
    if (bytesRead === 0) break
    const piece = buffer.subarray(0, bytesRead)
    let from = 0
    for (;;) {
      const end = piece.indexOf(LINE_END, from)
      if (end < 0) break
      yield { start, bytes: Buffer.concat([...pending, piece.subarray(from, end)]), isEnded: true }
      pending = []
      from = end + 1
      start = at + from
    }
    if (from < bytesRead) pending.push(piece.subarray(from))
    at += bytesRead
  }
  if (pending.length > 0) yield { start, bytes: Buffer.concat(pending), isEnded: false }
}
