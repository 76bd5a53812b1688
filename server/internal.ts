/**
 * Requests of the server to itself: a batch's prompts, asked as the caller who brought them. What marks them stands beside
 * the request and not in it, so no client can make one.
 */
import type { Caller } from './auth/caller.ts'

const CALLER = Symbol('caller')

/** Given to the application beside a request. */
export const asCaller = (caller: Caller): object => ({ [CALLER]: caller })

/** Who an internal request is from; null: it came from outside. */
export function internalCaller(bindings: unknown): Caller | null {
  return (bindings as { [CALLER]?: Caller } | undefined)?.[CALLER] ?? null
}
