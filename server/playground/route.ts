/** `GET /`, `GET /status` and `GET /playground/{file}`: the playground, for anyone; it holds no data of the server. */
import { ApiError } from '../contract/errors.ts'
import type { RequestContext } from '../routes/env.ts'
import { type Asset, readSite } from './assets.ts'

/** Only our own files, nothing inline, and no text that becomes markup or code. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

const HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

const WHOLE_YEAR = 'public, max-age=31536000, immutable'

/** The pages themselves are asked for again each time: they say which version of the assets they want. */
export async function playgroundPage(c: RequestContext): Promise<Response> {
  const page = (await readSite()).pages.get(c.req.path)
  if (!page) throw new ApiError('not_found', `There is no ${c.req.path.slice(0, 200)} here.`)
  return send(c, page, 'no-cache')
}

export async function playgroundAsset(c: RequestContext): Promise<Response> {
  const asset = (await readSite()).assets.get(c.req.path.slice('/playground/'.length))
  if (!asset) throw new ApiError('not_found', `There is no ${c.req.path.slice(0, 200)} here.`)
  return send(c, asset, WHOLE_YEAR)
}

function send(c: RequestContext, { body, type, etag }: Asset, caching: string): Response {
  const headers = { ...HEADERS, etag, 'cache-control': caching }
  if (isKnown(c.req.header('if-none-match'), etag)) return c.body(null, 304, headers)
  return c.body(body, 200, { ...headers, 'content-type': type })
}

/** Proxies that compress make strong tags weak ones. */
function isKnown(tags: string | undefined, etag: string): boolean {
  return (tags ?? '').split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}
