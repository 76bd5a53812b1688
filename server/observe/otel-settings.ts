/** Variables of OpenTelemetry that are ours to read; the SDK reads the others itself. An empty one counts as not set. */

export type Env = Readonly<Record<string, string | undefined>>

export interface Setting {
  readonly name: string
  readonly value: string
}

/** `OTEL_EXPORTER_OTLP_TRACES_…`, else `OTEL_EXPORTER_OTLP_…`. */
export function exporterSetting(env: Env, what: 'ENDPOINT' | 'PROTOCOL'): Setting | null {
  for (const name of [`OTEL_EXPORTER_OTLP_TRACES_${what}`, `OTEL_EXPORTER_OTLP_${what}`]) {
    const value = settingOf(env, name)
    if (value !== '') return { name, value }
  }
  return null
}

/** Where traces are to go; null: nothing says so, or something says that they are not wanted. */
export function tracesEndpoint(env: Env): Setting | null {
  const wanted =
    settingOf(env, 'OTEL_SDK_DISABLED').toLowerCase() !== 'true' &&
    isAmong('otlp', settingOf(env, 'OTEL_TRACES_EXPORTER'))
  return wanted ? exporterSetting(env, 'ENDPOINT') : null
}

/** Whether a client's trace goes on here. */
export function isTraceContinued(env: Env): boolean {
  return isAmong('tracecontext', settingOf(env, 'OTEL_PROPAGATORS'))
}

/** Both are among the defaults. */
function isAmong(name: string, list: string): boolean {
  return list === '' || list.split(',').some((one) => one.trim() === name)
}

const settingOf = (env: Env, name: string): string => env[name]?.trim() ?? ''
