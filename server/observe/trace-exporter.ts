/**
 * How traces leave: OTLP over HTTP, as protobuf or JSON. Address, headers, time limits, TLS and compression the exporters
 * read from `OTEL_EXPORTER_OTLP_*` themselves.
 */
import type { SpanExporter } from '@opentelemetry/sdk-trace-base'
import type { OperatorLog } from './operator-log.ts'
import { type Env, exporterSetting, type Setting } from './otel-settings.ts'
import { WatchedExporter } from './watched-exporter.ts'

/** Of the specification. */
const USUAL = 'http/protobuf'

/** @returns null where settings are wrong: the log says which, and a server serves without traces all the same */
export async function openExporter(
  env: Env,
  endpoint: Setting,
  tell: OperatorLog['event'],
): Promise<WatchedExporter | null> {
  const refuse = (message: string): null => {
    tell('error', `no traces are sent: ${message}`)
    return null
  }
  // Its value may hold a password.
  if (!/^https?:/.test(endpoint.value) || !URL.canParse(endpoint.value)) {
    return refuse(`${endpoint.name} must be a URL, as in http://localhost:4318`)
  }
  const { host: collector } = new URL(endpoint.value)
  const { name, value: protocol } = exporterSetting(env, 'PROTOCOL') ?? { name: '', value: USUAL }
  const exporter = await exporterFor(protocol)
  if (!exporter) {
    return refuse(
      `${name} is "${protocol}"; set it to ${USUAL} or http/json, and ${endpoint.name} to the collector's port for HTTP (usually 4318)`,
    )
  }
  tell('info', 'traces are sent', { collector, protocol })
  return new WatchedExporter(exporter, {
    lost: (reason) => tell('warn', `traces cannot be sent: ${reason}`, { collector }),
    found: () => tell('info', 'traces are sent again', { collector }),
  })
}

async function exporterFor(protocol: string): Promise<SpanExporter | null> {
  if (protocol === USUAL) {
    const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto')
    return new OTLPTraceExporter()
  }
  if (protocol === 'http/json') {
    const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http')
    return new OTLPTraceExporter()
  }
  return null
}
