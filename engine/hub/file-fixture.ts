/** For tests: one file as an HTTP server sends it, with ranges, validators, and the ways in which it can misbehave. */
import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'

export interface Served {
  content: Uint8Array
  /** With LFS the SHA-256 is stated, else git's SHA-1. */
  isLfs?: boolean
  /** What the listing says, where it lies. */
  statedHash?: string
  statedBytes?: number
  /** The listing says neither hash nor size. */
  isUnstated?: boolean
  /** Connections are cut after this many bytes of the body, this many times. */
  cutAfter?: number
  cuts?: number
  /** Instead of being cut, the connection stays open and brings nothing more. */
  hangs?: boolean
  /** What the content is after the first answer. */
  becomes?: Uint8Array
  /** Ranges are ignored (status 200 and the whole file). */
  ignoresRange?: boolean
  /** Ranges are honoured whatever `If-Range` says. */
  ignoresIfRange?: boolean
  hasNoEtag?: boolean
  /** Sent in chunks, without a length. */
  hidesLength?: boolean
  /** Sent whole and packed, though nobody asked for that. */
  isPacked?: boolean
  /** Answers with this status, this many times (default: always), and these headers. */
  status?: number
  statuses?: number
  headers?: Record<string, string>
  /** Answered only when the test says so. */
  isHeld?: boolean
  release?: () => void
  /** Sent by a server on another address, to which this one leads. */
  redirectsTo?: string
}

export const sha256 = (content: Uint8Array): string =>
  createHash('sha256').update(content).digest('hex')

/** As the hub's listing of a folder has it. */
export function listedAs(path: string, file: Served): object {
  if (file.isUnstated) return { type: 'file', path }
  const { content } = file
  const size = file.statedBytes ?? content.length
  const git = createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex')
  if (!file.isLfs) return { type: 'file', path, size, oid: file.statedHash ?? git }
  const lfs = { oid: file.statedHash ?? sha256(content), size, pointerSize: 134 }
  return { type: 'file', path, size, oid: 'f'.repeat(40), lfs }
}

export function sendFile(file: Served, asked: IncomingHttpHeaders, response: ServerResponse): void {
  if (file.isHeld) {
    file.release = () => sendFile(Object.assign(file, { isHeld: false }), asked, response)
    return
  }
  if (file.status !== undefined && (file.statuses ?? 1) > 0) {
    if (file.statuses !== undefined) file.statuses -= 1
    response.writeHead(file.status, file.headers).end()
    return
  }
  const { content } = file
  if (file.isPacked) {
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(content))
    return
  }
  const etag = `"${sha256(content)}"`
  const from = startOf(file, asked, etag)
  if (from >= content.length && from > 0) {
    response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end()
    return
  }
  const body = content.subarray(from)
  response.writeHead(from > 0 ? 206 : 200, {
    ...(file.hidesLength ? {} : { 'content-length': body.length }),
    ...(file.hasNoEtag ? {} : { etag }),
    ...(from > 0
      ? { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }
      : {}),
  })
  if (file.becomes) file.content = file.becomes
  sendBody(file, body, response)
}

function startOf(file: Served, asked: IncomingHttpHeaders, etag: string): number {
  const condition = asked['if-range']
  const isOther = condition !== undefined && condition !== etag && !file.ignoresIfRange
  if (file.ignoresRange || isOther) return 0
  return Number(/^bytes=(\d+)-/.exec(asked.range ?? '')?.[1] ?? 0)
}

function sendBody(file: Served, body: Uint8Array, response: ServerResponse): void {
  if (file.cutAfter === undefined || (file.cuts ?? 0) <= 0) {
    response.end(body)
    return
  }
  file.cuts = (file.cuts ?? 0) - 1
  response.write(body.subarray(0, file.cutAfter), () => {
    if (file.hangs) return
    // Left a moment, so that the bytes arrive before the connection goes.
    setTimeout(() => response.destroy(), 20)
  })
}
