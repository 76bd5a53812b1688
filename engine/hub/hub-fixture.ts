/**
 * For tests: a hub on 127.0.0.1 with the listing and download addresses of the real one, and the ways in which it can
 * misbehave. Everything it was asked is kept.
 */
import { createHash } from 'node:crypto'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { listedAs, type Served, sendFile } from './file-fixture.ts'

export type { Served } from './file-fixture.ts'

export interface FixtureHub {
  url: string
  /** Address and range of each request. */
  requests: string[]
  /** Headers of each request, by address: the last one's. */
  headers: Map<string, IncomingHttpHeaders>
  /** Files that were being sent at once, at most. */
  most: number
  files: Map<string, Served>
  /** When set, requests without it get 401. */
  token: string | undefined
  /** When set, the API answers with this, this many times (default: always). */
  refusal: { status: number; headers?: Record<string, string>; times?: number } | undefined
  /** The hub does not say which commit a revision is. */
  hasNoCommits: boolean
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
    headers: new Map(),
    most: 0,
    files: new Map(Object.entries(files)),
    token: undefined,
    refusal: undefined,
    hasNoCommits: false,
    pageSize: 100,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return hub
}

/** The commit that every revision of the hub is of: it changes with its files. */
export function commitOf(hub: FixtureHub): string {
  const listing = [...hub.files].map(([path, file]) => listedAs(path, file))
  return createHash('sha1').update(JSON.stringify(listing)).digest('hex')
}

const busy = new WeakMap<FixtureHub, number>()

function answer(hub: FixtureHub, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', hub.url)
  const { range, authorization } = request.headers
  hub.requests.push(`${url.pathname}${range === undefined ? '' : ` ${range}`}`)
  hub.headers.set(url.pathname, request.headers)
  const [, name] = /^\/owner\/model\/resolve\/[^/]+\/(.+)$/.exec(url.pathname) ?? []
  const file = hub.files.get(name ?? '')
  if (hub.token !== undefined && authorization !== `Bearer ${hub.token}`) {
    response.writeHead(401).end()
  } else if (/^\/api\/models\/owner\/model\/(tree|revision)\/[^/]+$/.test(url.pathname)) {
    answerApi(hub, url, response)
  } else if (file === undefined) {
    const what = url.pathname.startsWith('/api/') ? 'RepoNotFound' : 'EntryNotFound'
    response.writeHead(404, { 'x-error-code': what }).end()
  } else if (file.redirectsTo !== undefined) {
    response.writeHead(302, { location: `${file.redirectsTo}${url.pathname}` }).end()
  } else {
    const now = (busy.get(hub) ?? 0) + 1
    busy.set(hub, now)
    hub.most = Math.max(hub.most, now)
    response.on('close', () => busy.set(hub, (busy.get(hub) ?? 0) - 1))
    sendFile(file, request.headers, response)
  }
}

function answerApi(hub: FixtureHub, url: URL, response: ServerResponse): void {
  const { refusal } = hub
  if (refusal !== undefined && (refusal.times ?? 1) > 0) {
    if (refusal.times !== undefined) refusal.times -= 1
    response.writeHead(refusal.status, refusal.headers).end()
    return
  }
  const headers: Record<string, string> = { 'content-type': 'application/json' }
  if (url.pathname.includes('/revision/')) {
    const facts = { id: 'owner/model', ...(hub.hasNoCommits ? {} : { sha: commitOf(hub) }) }
    response.writeHead(200, headers).end(JSON.stringify(facts))
    return
  }
  const all = [...hub.files].map(([path, file]) => listedAs(path, file))
  const from = Number(url.searchParams.get('cursor') ?? 0)
  if (from + hub.pageSize < all.length) {
    url.searchParams.set('cursor', String(from + hub.pageSize))
    headers.link = `<${url.href}>; rel="next"`
  }
  response.writeHead(200, headers).end(JSON.stringify(all.slice(from, from + hub.pageSize)))
}
