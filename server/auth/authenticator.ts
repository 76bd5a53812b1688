/** Who a request comes from: a key of ours, a token of ours, or a token of the issuer that the operator trusts. */
import type { JWTPayload } from 'jose'
import { ApiError } from '../contract/errors.ts'
import { isTier, limitsOf, TIER_NAMES } from '../limits/tiers.ts'
import { ANYONE, type Caller, isScope, type Scope, STRANGER } from './caller.ts'
import { type Credential, type Credentials, callerOf, type Refusal } from './credentials.ts'
import type { VerifyJwt } from './jwt.ts'
import { badCredential, noCredential } from './refusals.ts'
import type { TokenIssuer } from './token-issuer.ts'

const WHY: Readonly<Record<Refusal, string>> = {
  unknown: 'The API key is not valid.',
  revoked: 'The API key was revoked.',
  expired: 'The API key has expired.',
}

export class Authenticator {
  readonly #credentials: Credentials
  readonly #issuer: TokenIssuer
  readonly #verifyJwt: VerifyJwt | null

  /** @param verifyJwt null: no other issuer is trusted */
  constructor(credentials: Credentials, issuer: TokenIssuer, verifyJwt: VerifyJwt | null) {
    this.#credentials = credentials
    this.#issuer = issuer
    this.#verifyJwt = verifyJwt
  }

  /** Whether callers must say who they are: once there is something to say it with. */
  async isNeeded(): Promise<boolean> {
    return this.#verifyJwt !== null || (await this.#credentials.exist())
  }

  /**
   * The caller with this credential; without any, anyone on a server that asks for none. A server without keys does
   * not look at what it is sent: OpenAI's clients always send something.
   * @param credential a key or a token; null: none was sent
   * @throws ApiError `unauthenticated`
   */
  async authenticate(credential: string | null): Promise<Caller> {
    if (!(await this.isNeeded())) return ANYONE
    if (credential === null) throw noCredential()
    if (credential.split('.').length === 3) return this.#fromToken(credential)
    return callerOf(alive(await this.#credentials.checkKey(credential)))
  }

  /** The same where nothing is needed: who has no good credential is a stranger there. */
  async recognise(credential: () => string | null): Promise<Caller> {
    if (!(await this.isNeeded())) return ANYONE
    try {
      return await this.authenticate(credential())
    } catch (error) {
      if (error instanceof ApiError) return STRANGER
      throw error
    }
  }

  async #fromToken(token: string): Promise<Caller> {
    if (await this.#issuer.isOurs(token)) {
      const claims = await this.#issuer.verify(token)
      return this.#fromClient(claims)
    }
    if (!this.#verifyJwt) throw badCredential('The token is not one that this server has issued.')
    return fromClaims(await this.#verifyJwt(token))
  }

  /** What the client may do is read afresh: revoking it ends its tokens. */
  async #fromClient(claims: JWTPayload): Promise<Caller> {
    const client = alive(await this.#credentials.clientOfToken(claims.sub ?? ''))
    const caller = callerOf(client)
    const granted = scopesOf(claims).filter((scope) => caller.scopes.has(scope))
    return { ...caller, scopes: new Set(granted) }
  }
}

function alive(found: Credential | Refusal): Credential {
  if (typeof found === 'string') throw badCredential(WHY[found])
  return found
}

/** Without a tier it is the smallest, and without a scope none: a token says what it gives. */
function fromClaims(claims: JWTPayload): Caller {
  const { sub = '', tier = 'free' } = claims
  if (typeof tier !== 'string' || !isTier(tier)) {
    throw badCredential(`The token's claim 'tier' must be one of ${TIER_NAMES.join(', ')}.`)
  }
  const none = { requestsPerMinute: null, tokensPerHour: null }
  return {
    // Apart from our own ids, whatever the issuer calls its subjects.
    id: `jwt:${sub}`,
    name: sub,
    tier,
    scopes: new Set(scopesOf(claims)),
    limits: limitsOf(tier, none),
  }
}

/** A string with spaces (RFC 8693) or, as some issuers have it, a list. Other people's scopes are none of ours. */
function scopesOf({ scope }: JWTPayload): Scope[] {
  const words: unknown[] = typeof scope === 'string' ? scope.split(' ') : []
  const list: unknown[] = Array.isArray(scope) ? scope : words
  return list.filter((word): word is Scope => typeof word === 'string' && isScope(word))
}
