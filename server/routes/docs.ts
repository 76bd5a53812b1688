/** `GET /docs`: the reference page. */
import { openApiDocument } from '../contract/openapi.ts'
import type { OpenApiDocument } from '../reference/document.ts'
import { CONTENT_SECURITY_POLICY, referencePage } from '../reference/page.ts'
import type { Deps, RequestContext } from './env.ts'

export function docs(c: RequestContext, { version }: Deps): Response | Promise<Response> {
  const document = openApiDocument(version) as OpenApiDocument
  return c.html(referencePage(document, new URL(c.req.url).origin), 200, {
    'content-security-policy': CONTENT_SECURITY_POLICY,
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  })
}
