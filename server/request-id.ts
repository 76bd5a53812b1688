/** Ids: of requests (taken from `x-request-id` when a client sends a decent one) and of answers. */
import { randomUUID } from 'node:crypto'

const MAX_LENGTH = 128

/** Keys and tokens begin so: an id is logged, and they must not be. */
const SECRET = /^(sk-|eyJ)/

const random = (): string => randomUUID().replaceAll('-', '')

/**
 * The id of a request. A client's own is kept without anything that could forge a log line or a header; with nothing
 * left of it, or none given, a new one is made.
 */
export function requestId(given: string | undefined): string {
  const clean = (given ?? '').replace(/[^A-Za-z0-9._:-]/g, '').slice(0, MAX_LENGTH)
  return clean === '' || SECRET.test(clean) ? `req_${random()}` : clean
}

/** `chatcmpl-…`, `cmpl-…`. */
export function answerId(prefix: string): string {
  return `${prefix}-${random()}`
}
