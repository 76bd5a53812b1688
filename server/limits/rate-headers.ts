/** What an answer's headers say of the limits, in both sets: the contract's, in epoch seconds, and OpenAI's. */
import type { Dialect } from '../contract/dialect.ts'

/** How one limit stands. */
export interface Standing {
  readonly limit: number
  readonly used: number
  /** Epoch milliseconds at which nothing counts as used any more. */
  readonly resetsAt: number
}

/**
 * One name is in both sets with two meanings: `x-ratelimit-reset-tokens` is an epoch in the contract and a duration at
 * OpenAI. So it speaks the dialect of the request.
 */
export function rateHeaders(
  requests: Standing | null,
  tokens: Standing | null,
  dialect: Dialect,
  now: number,
): Record<string, string> {
  const headers: Record<string, string> = {}
  if (requests) {
    headers['x-ratelimit-limit'] = String(requests.limit)
    headers['x-ratelimit-remaining'] = String(left(requests))
    headers['x-ratelimit-reset'] = epochSeconds(requests)
    Object.assign(headers, openaiSet('requests', requests, now))
  }
  if (tokens) {
    Object.assign(headers, openaiSet('tokens', tokens, now))
    if (dialect === 'contract') headers['x-ratelimit-reset-tokens'] = epochSeconds(tokens)
  }
  return headers
}

const epochSeconds = ({ resetsAt }: Standing): string => String(Math.ceil(resetsAt / 1000))

function openaiSet(what: string, standing: Standing, now: number): Record<string, string> {
  return {
    [`x-ratelimit-limit-${what}`]: String(standing.limit),
    [`x-ratelimit-remaining-${what}`]: String(left(standing)),
    [`x-ratelimit-reset-${what}`]: duration(standing.resetsAt - now),
  }
}

const left = ({ limit, used }: Standing): number => Math.max(0, limit - used)

/** `6m0s`, `1s`. */
function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000))
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`
}
