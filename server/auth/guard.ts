/** Stands before every route: who calls, whether they may do this at all, and whether they may do it now. */
import type { MiddlewareHandler } from 'hono'
import { internalCaller } from '../internal.ts'
import type { Deps, Env, RequestContext } from '../routes/env.ts'
import { isCounted, type Need, needOf } from './access.ts'
import { ANYONE, type Caller } from './caller.ts'
import { credentialOf } from './credential-header.ts'
import { missingScope } from './refusals.ts'

export type Identify = (c: RequestContext) => Caller | Promise<Caller>

/**
 * @param identify instead of looking into the keys
 */
export function guard(deps: Deps, identify?: Identify): MiddlewareHandler<Env> {
  return async (c, next) => {
    const need = needOf(c.req.path)
    const internal = internalCaller(c.env)
    const caller = internal ?? (identify ? await identify(c) : await callerOf(c, deps, need))
    c.set('caller', caller)
    if (need !== 'public' && need !== 'key' && !caller.scopes.has(need)) throw missingScope(need)
    // A batch was counted as a whole when it came.
    if (internal || !isCounted(c.req.method, c.req.path)) return next()
    const tell = () => {
      const headers = deps.gate.headers(caller, c.var.dialect)
      for (const [name, value] of Object.entries(headers)) c.header(name, value)
    }
    try {
      deps.gate.enter(caller)
    } finally {
      // Also on the way out with an error.
      tell()
    }
    await deps.gate.written()
    await next()
    tell()
  }
}

async function callerOf(c: RequestContext, { state }: Deps, need: Need): Promise<Caller> {
  if (!state) return ANYONE
  const read = () => credentialOf(c.req.raw.headers)
  return need === 'public'
    ? state.authenticator.recognise(read)
    : state.authenticator.authenticate(read())
}
