/** `GET /metrics`: what Prometheus scrapes. */
import type { Deps, RequestContext } from './env.ts'

export async function metrics(c: RequestContext, deps: Deps): Promise<Response> {
  return c.body(await deps.metrics.expose(), 200, { 'content-type': deps.metrics.contentType })
}
