/** Who a request comes from, and what they may do. */

export const SCOPES = ['generate', 'batch', 'models:write', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

export interface CallerLimits {
  /** Null: none. */
  readonly requestsPerMinute: number | null
  readonly tokensPerHour: number | null
}

export interface Caller {
  /** Of the key or client; never the secret itself. */
  readonly id: string
  readonly name: string
  readonly tier: string
  readonly scopes: ReadonlySet<Scope>
  readonly limits: CallerLimits
}

/** Everybody, on a server without keys. */
export const ANYONE: Caller = {
  id: 'anyone',
  name: 'anyone',
  tier: 'open',
  scopes: new Set(SCOPES),
  limits: { requestsPerMinute: null, tokensPerHour: null },
}

/** Somebody without a key, on a server that has keys: may see what is public, and no details there. */
export const STRANGER: Caller = {
  id: 'stranger',
  name: 'stranger',
  tier: 'none',
  scopes: new Set(),
  limits: { requestsPerMinute: null, tokensPerHour: null },
}

export const isScope = (text: string): text is Scope => SCOPES.some((scope) => scope === text)
