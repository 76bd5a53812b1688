/**
 * For tests: a hub on 127.0.0.1 with the listing and download addresses of the real one, and the ways in which it can
 * misbehave. Everything it was asked is kept.
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Served {
  content: Uint8Array
  /** With LFS the SHA-256 is stated, else git's SHA-1. */
  isLfs?: boolean
  /** What the listing says, where it lies. */
  statedHash?: string
  statedBytes?: number
  /** Connections are cut after this many bytes of the body, this many times. */
  cutAfter?: number
  cuts?: number
  /** Instead of being cut, the connection stays open and brings nothing more. */
  hangs?: boolean
  /** Ranges are ignored (status 200 and the whole file). */
  ignoresRange?: boolean
  /** Answers with this status, this many times (default: always). */
  status?: number
  statuses?: number
}

export interface FixtureHub {
  url: string
  /** Method, address and range of each request. */
  requests: string[]
  files: Map<string, Served>
  /** When set, requests without it get 401. */
  token: string | undefined
  /** When set, the listing is answered with this status. */
  listStatus: number | undefined
  pageSize: number
  close(): Promise<void>
}

/** Starts a hub that serves the model `owner/model`. */
export async function startHub(files: Readonly<Record<string, Served>>): Promise<FixtureHub> {
  const server = createServer((request, response) => answer(hub, request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const hub: FixtureHub = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    files: new Map(Object.entries(files)),
    token: undefined,
    listStatus: undefined,
    pageSize: 100,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return hub
}

function answer(hub: FixtureHub, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', hub.url)
  const range = request.headers.range
  hub.requests.push(`${url.pathname}${range === undefined ? '' : ` ${range}`}`)
  if (hub.token !== undefined && request.headers.authorization !== `Bearer ${hub.token}`) {
    response.writeHead(401).end()
  } else if (/^\/api\/models\/owner\/model\/tree\/[^/]+$/.test(url.pathname)) {
    list(hub, url, response)
  } else {
    const [, name] = /^\/owner\/model\/resolve\/[^/]+\/(.+)$/.exec(url.pathname) ?? []
    const file = hub.files.get(name ?? '')
    if (file === undefined) response.writeHead(404).end()
    else send(file, range, response)
  }
}

function list(hub: FixtureHub, url: URL, response: ServerResponse): void {
  if (hub.listStatus !== undefined) {
    response.writeHead(hub.listStatus).end()
    return
  }
  const all = [...hub.files].map(([path, file]) => describe(path, file))
  const from = Number(url.searchParams.get('cursor') ?? 0)
  const headers: Record<string, string> = { 'content-type': 'application/json' }
  if (from + hub.pageSize < all.length) {
    url.searchParams.set('cursor', String(from + hub.pageSize))
    headers.link = `<${url.href}>; rel="next"`
  }
  response.writeHead(200, headers).end(JSON.stringify(all.slice(from, from + hub.pageSize)))
}

function describe(path: string, file: Served) {
  const { content } = file
  const size = file.statedBytes ?? content.length
  const git = createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex')
  const sha256 = createHash('sha256').update(content).digest('hex')
  if (!file.isLfs) return { type: 'file', path, size, oid: file.statedHash ?? git }
  const lfs = { oid: file.statedHash ?? sha256, size, pointerSize: 134 }
  return { type: 'file', path, size, oid: 'f'.repeat(40), lfs }
}

function send(file: Served, range: string | undefined, response: ServerResponse): void {
  if (file.status !== undefined && (file.statuses ?? 1) > 0) {
    if (file.statuses !== undefined) file.statuses -= 1
    response.writeHead(file.status).end()
    return
  }
  const total = file.content.length
  const from = file.ignoresRange ? 0 : Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0)
  const body = file.content.subarray(from)
  response.writeHead(from > 0 ? 206 : 200, {
    'content-length': body.length,
    ...(from > 0 ? { 'content-range': `bytes ${from}-${total - 1}/${total}` } : {}),
  })
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
