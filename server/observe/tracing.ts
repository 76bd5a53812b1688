/**
 * Traces for an OpenTelemetry collector, by OTLP over HTTP: a span for each HTTP request, a child of it for its answer.
 * Spans are made when all is over, from what the log is told, so that nothing of this is on the way of a token. Large:
 * it is read by `traced-log.ts`, where somebody wants it.
 */
import {
  type Context,
  DiagLogLevel,
  diag,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { parseTraceParent, setGlobalErrorHandler } from '@opentelemetry/core'
import {
  defaultResource,
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from '@opentelemetry/resources'
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from '@opentelemetry/semantic-conventions'
import { packageVersion } from '../version.ts'
import type { Answered } from './answered.ts'
import type { OperatorLog } from './operator-log.ts'
import { type Env, isTraceContinued, type Setting } from './otel-settings.ts'
import type { Requested } from './requested.ts'
import { answerSpan, type Origin, requestSpan, type SpanFacts } from './spans.ts'
import { openExporter } from './trace-exporter.ts'

export interface Tracing {
  /**
   * Makes a request's spans. Its answer is told with it, save one over a socket.
   * @param endedAt epoch milliseconds
   * @returns the id of its trace; null: it has no span
   */
  requested(requested: Requested, endedAt: number): string | null
  /** Makes the span of an answer over a socket. */
  answered(answered: Answered, endedAt: number): string
  /** Sends what is left, for a moment. */
  close(): Promise<void>
}

/** Far less than whoever stops the server waits beyond its drain, ms. */
const FLUSH = 3000

export interface TracingOptions {
  /** What the SDK does not read itself, from the process's own. */
  env: Env
  endpoint: Setting
  /** Hears what is wrong with the settings, and with the collector. */
  tell: OperatorLog['event']
  /** Longest wait for the collector on `close`, ms. */
  flushMs?: number | undefined
}

/** @returns null where nothing can be sent: the log says why */
export async function openTracing(options: TracingOptions): Promise<Tracing | null> {
  const { env, endpoint, tell, flushMs = FLUSH } = options
  tellSettings(tell)
  const exporter = await openExporter(env, endpoint, tell)
  if (!exporter) return null
  setGlobalErrorHandler(exporter.failed)
  const provider = new BasicTracerProvider({
    resource: resource(),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  })
  const tracer = provider.getTracer('illuminator', packageVersion())
  const make = (facts: SpanFacts, context: Context, startTime: number, endedAt: number): Span => {
    const { name, kind, attributes, isError } = facts
    const span = tracer.startSpan(name, { kind, attributes, startTime }, context)
    if (isError) span.setStatus({ code: SpanStatusCode.ERROR })
    span.end(endedAt)
    return span
  }
  const answer = (answered: Answered, origin: Origin, context: Context, endedAt: number): Span =>
    make(answerSpan(answered, origin), context, endedAt - answered.total, endedAt)
  return {
    requested(requested, endedAt) {
      const { answered, isInternal, total, traceparent } = requested
      // A prompt of a batch is no HTTP request.
      if (isInternal) {
        return answered && idOf(answer(answered, 'batch', ROOT_CONTEXT, endedAt))
      }
      const parent = contextOf(env, traceparent)
      const span = make(requestSpan(requested), parent, endedAt - total, endedAt)
      if (answered) answer(answered, 'http', trace.setSpan(parent, span), endedAt)
      return idOf(span)
    },
    answered: (answered, endedAt) =>
      idOf(answer(answered, 'websocket', contextOf(env, answered.traceparent), endedAt)),
    close: () => shutDown(provider, exporter.failed, tell, flushMs),
  }
}

const idOf = (span: Span): string => span.spanContext().traceId

/** Whose span ours are children of. */
function contextOf(env: Env, traceparent: string | null | undefined): Context {
  const parent = traceparent && isTraceContinued(env) ? parseTraceParent(traceparent) : null
  return parent ? trace.setSpanContext(ROOT_CONTEXT, { ...parent, isRemote: true }) : ROOT_CONTEXT
}

/** `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win. */
function resource(): Resource {
  const ours = { [ATTR_SERVICE_NAME]: 'illuminator', [ATTR_SERVICE_VERSION]: packageVersion() }
  return defaultResource()
    .merge(resourceFromAttributes(ours))
    .merge(detectResources({ detectors: [serviceInstanceIdDetector, envDetector] }))
}

/** What the SDK finds wrong with its variables, and later with itself: each kind once. */
function tellSettings(tell: OperatorLog['event']): void {
  const told = new Set<string>()
  const once = (message: string) => {
    const kind = message.replace(/\d+/g, '#')
    if (told.has(kind) || told.size >= 20) return
    told.add(kind)
    tell('warn', `traces: ${message}`)
  }
  const logger = { error: once, warn: once, info() {}, debug() {}, verbose() {} }
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true })
}

async function shutDown(
  provider: BasicTracerProvider,
  failed: (error: unknown) => void,
  tell: OperatorLog['event'],
  most: number,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      tell('warn', 'traces: the collector did not take the last spans in time; they are lost')
      resolve()
    }, most)
  })
  await Promise.race([provider.shutdown().catch(failed), late])
  clearTimeout(timer)
}
