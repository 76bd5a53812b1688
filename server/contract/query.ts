/** Parameters in the query of an address. */
import type { Context } from 'hono'
import { ApiError } from './errors.ts'

/** A whole number in a range, or `absent`. Throws ApiError that names it. */
export function queryNumber(
  c: Pick<Context, 'req'>,
  name: string,
  low: number,
  high: number,
  absent: number,
): number {
  const text = c.req.query(name)
  if (text === undefined) return absent
  const value = Number(text)
  if (/^\d{1,16}$/.test(text) && value >= low && value <= high) return value
  const range = high === Number.MAX_SAFE_INTEGER ? `of at least ${low}` : `from ${low} to ${high}`
  throw new ApiError('bad_request', `The parameter '${name}' must be an integer ${range}.`, name)
}
