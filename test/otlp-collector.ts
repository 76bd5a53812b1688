/** A collector of OpenTelemetry traces for tests: takes OTLP over HTTP, keeps all that came, and reads JSON. */
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Value {
  stringValue?: string
  intValue?: number | string
  doubleValue?: number
  arrayValue?: { values: Value[] }
}

interface WireSpan {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  kind: number
  startTimeUnixNano: string
  endTimeUnixNano: string
  attributes: { key: string; value: Value }[]
  status: { code?: number }
}

interface Payload {
  resourceSpans: {
    resource: { attributes: WireSpan['attributes'] }
    scopeSpans: { spans: WireSpan[] }[]
  }[]
}

export interface CollectedSpan {
  traceId: string
  spanId: string
  parent: string | null
  name: string
  kind: 'internal' | 'server'
  /** Nanoseconds since the epoch. */
  start: bigint
  end: bigint
  isError: boolean
  attributes: Record<string, unknown>
  resource: Record<string, unknown>
}

export interface Arrival {
  path: string
  headers: IncomingHttpHeaders
  body: Buffer
}

export interface Collector {
  readonly url: string
  /** What it answers with from now on; null: nothing, ever. */
  status: number | null
  readonly arrivals: Arrival[]
  /** Of the payloads in JSON that it accepted. */
  spans(): CollectedSpan[]
  close(): void
}

/** @param port default: any free one */
export async function openCollector(port = 0): Promise<Collector> {
  const accepted: Buffer[] = []
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece as Buffer)
    const body = Buffer.concat(pieces)
    collector.arrivals.push({ path: request.url ?? '', headers: request.headers, body })
    if (collector.status === null) return
    if (collector.status < 300) accepted.push(body)
    response.writeHead(collector.status, { 'content-type': 'application/json' }).end('{}')
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const collector: Collector = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    status: 200,
    arrivals: [],
    spans: () => accepted.flatMap((body) => spansOf(JSON.parse(String(body)) as Payload)),
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
  return collector
}

function spansOf({ resourceSpans }: Payload): CollectedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parent: span.parentSpanId ?? null,
        name: span.name,
        kind: span.kind === 2 ? ('server' as const) : ('internal' as const),
        start: BigInt(span.startTimeUnixNano),
        end: BigInt(span.endTimeUnixNano),
        isError: span.status.code === 2,
        attributes: plain(span.attributes),
        resource: plain(resource.attributes),
      })),
    ),
  )
}

function plain(attributes: WireSpan['attributes']): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, unwrapped(value)]))
}

function unwrapped({ stringValue, intValue, doubleValue, arrayValue }: Value): unknown {
  if (intValue !== undefined) return Number(intValue)
  return stringValue ?? doubleValue ?? arrayValue?.values.map(unwrapped)
}
