/** For tests of traces: a server over a fake engine that sends them to a collector, and its log. */
import { expect, vi } from 'vitest'
import type { FakeOptions } from '../server/fake-engine.ts'
import { createOperatorLog } from '../server/observe/operator-log.ts'
import { tracedLog } from '../server/observe/traced-log.ts'
import type { ServeOptions } from '../server/serve.ts'
import { type CollectedSpan, type Collector, openCollector } from './otlp-collector.ts'
import { closeAll, start } from './socket-client.ts'

const collectors: Collector[] = []

/** For `expect.poll`: reading the SDK alone may take a second. */
export const SOON = { timeout: 10_000 }

export type LogLine = Record<string, unknown> & { level: string; msg: string }

export interface TracedOptions {
  fake?: FakeOptions
  serve?: Partial<ServeOptions>
  /** Beside those that lead to the collector. */
  env?: Record<string, string>
  /** False: it is asked before traces can be sent, or they never can. Default true. */
  ready?: boolean
}

/** For `afterEach`. */
export async function closeTraced(): Promise<void> {
  await closeAll()
  for (const collector of collectors.splice(0)) collector.close()
  vi.unstubAllEnvs()
}

/** A collector that tests' servers send to, soon. */
export async function collecting(env: Record<string, string> = {}): Promise<Collector> {
  const collector = await openCollector()
  collectors.push(collector)
  const variables = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '1',
    ...env,
  }
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value)
  return collector
}

export async function tracedServer({ fake, serve, env, ready = true }: TracedOptions = {}) {
  const collector = await collecting(env)
  let text = ''
  const write = (line: string) => {
    text += line
  }
  const log = createOperatorLog({ format: 'json', level: 'trace', write })
  const traced = tracedLog(log, process.env, 200)
  const { requested: onRequested, answered: onAnswered } = traced
  const { server, engine } = await start(fake, { onRequested, onAnswered, log: log.log, ...serve })
  const lines = () =>
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as LogLine)
  traced.open()
  if (ready)
    await expect.poll(() => lines().map(({ msg }) => msg), SOON).toContain('traces are sent')
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(server.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  /** Closes server and traces. */
  const close = async () => {
    await server.close()
    await traced.close()
  }
  /** The spans, once all is closed: those of HTTP requests, and those of answers. */
  const spans = async () => {
    await close()
    const all = collector.spans()
    const of = (kind: CollectedSpan['kind']) => all.filter((span) => span.kind === kind)
    return { all, requests: of('server'), answers: of('internal') }
  }
  return { server, engine, collector, post, spans, close, lines }
}
