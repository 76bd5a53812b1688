/** An exporter of spans that tells when its collector does not take them any more, and when it does again. */
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base'

export interface Heard {
  /** The first export that failed since one succeeded. */
  lost(reason: string): void
  found(): void
}

export class WatchedExporter implements SpanExporter {
  readonly #exporter: SpanExporter
  readonly #heard: Heard
  #isLost = false

  constructor(exporter: SpanExporter, heard: Heard) {
    this.#exporter = exporter
    this.#heard = heard
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#exporter.export(spans, (result) => {
      if (result.code !== ExportResultCode.SUCCESS) this.failed(result.error)
      else if (this.#isLost) {
        this.#isLost = false
        this.#heard.found()
      }
      done(result)
    })
  }

  /** An export failed, or was given up by who asked for it. */
  readonly failed = (error: unknown): void => {
    if (this.#isLost) return
    this.#isLost = true
    this.#heard.lost(reasonOf(error))
  }

  async forceFlush(): Promise<void> {
    await this.#exporter.forceFlush?.()
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown()
  }
}

/** Without the collector's body, which may repeat what was sent. A refused connection has a code and no message. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'no reason was given'
  const { message, code } = error as Error & { code?: string | number }
  const said = message === '' ? error.name : message
  return code === undefined || said.includes(String(code)) ? said : `${said} (${code})`
}
