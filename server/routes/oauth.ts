/** `POST /oauth/token`, and the public keys that its tokens can be checked with. */
import type { Scope } from '../auth/caller.ts'
import type { Credential } from '../auth/credentials.ts'
import { TOKEN_SECONDS } from '../auth/token-issuer.ts'
import { ApiError } from '../contract/errors.ts'
import { clientOf, parseForm, TokenError, type TokenResponse } from '../contract/oauth.ts'
import { readCapped } from '../contract/parse.ts'
import type { ServerState } from '../state.ts'
import type { Deps, RequestContext } from './env.ts'

const MAX_FORM_BYTES = 16 * 1024
const FORM = 'application/x-www-form-urlencoded'

/** A token for a client that proves itself. */
export async function token(c: RequestContext, deps: Deps): Promise<Response> {
  const state = stateOf(deps)
  // Tokens are nobody else's to keep.
  c.header('cache-control', 'no-store')
  c.header('pragma', 'no-cache')
  try {
    const form = parseForm(await readForm(c))
    const client = await authenticated(state, c, form)
    const scopes = grantedScopes(client, form.get('scope'))
    const body: TokenResponse = {
      access_token: await state.issuer.issue(client.id, scopes),
      token_type: 'Bearer',
      expires_in: TOKEN_SECONDS,
      scope: scopes.join(' '),
    }
    return c.json(body)
  } catch (error) {
    if (!(error instanceof TokenError)) throw error
    const isClient = error.code === 'invalid_client'
    if (isClient) c.header('www-authenticate', 'Basic realm="illuminator"')
    const body = { error: error.code, error_description: error.message }
    return c.json(body, isClient ? 401 : 400)
  }
}

/** The keys, for whoever wants to check a token of ours. */
export async function keySet(c: RequestContext, deps: Deps): Promise<Response> {
  c.header('cache-control', 'public, max-age=300')
  return c.json(await stateOf(deps).issuer.publicKeys())
}

async function readForm(c: RequestContext): Promise<string> {
  const [type = ''] = (c.req.header('content-type') ?? '').split(';')
  if (type.trim().toLowerCase() !== FORM) {
    throw new TokenError('invalid_request', `The body must be a form (${FORM}).`)
  }
  return Buffer.from(await readCapped(c.req.raw, MAX_FORM_BYTES)).toString('utf8')
}

async function authenticated(
  { credentials }: ServerState,
  c: RequestContext,
  form: ReadonlyMap<string, string>,
): Promise<Credential> {
  const grant = form.get('grant_type')
  if (grant === undefined) throw new TokenError('invalid_request', 'grant_type is required.')
  if (grant !== 'client_credentials') {
    throw new TokenError('unsupported_grant_type', 'The only grant here is client_credentials.')
  }
  const { id, secret } = clientOf(c.req.header('authorization'), form)
  const found = await credentials.checkClient(id, secret)
  if (typeof found !== 'string') return found
  const why =
    found === 'unknown' ? 'The client or its secret is not known.' : `The client is ${found}.`
  throw new TokenError('invalid_client', why)
}

/** What is asked for, or all there is. */
function grantedScopes(client: Credential, asked: string | undefined): readonly Scope[] {
  if (asked === undefined) return client.scopes
  const words = asked.split(' ').filter((word) => word !== '')
  if (words.every((word) => client.scopes.some((scope) => scope === word))) {
    return client.scopes.filter((scope) => words.includes(scope))
  }
  throw new TokenError(
    'invalid_scope',
    `The client may have ${client.scopes.join(' ') || 'no scope'}, and asks for more.`,
  )
}

function stateOf({ state }: Deps): ServerState {
  if (state) return state
  throw new ApiError('not_found', 'This server keeps no keys, and so gives no tokens.')
}
