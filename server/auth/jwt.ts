/**
 * Tokens of somebody else's making (RFC 8725): checked with keys that the operator configured. The kind of the key says
 * which algorithm is right; what the token says of itself only chooses among those.
 */
import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose'
import { EngineError } from '../../engine/errors.ts'
import { ApiError } from '../contract/errors.ts'
import { isLoopback } from '../security.ts'
import { badCredential } from './refusals.ts'

export interface JwtSettings {
  /** `iss` must be this. */
  readonly issuer: string
  /** `aud` must be or hold this. */
  readonly audience: string
  /** One of three: a shared secret (HS256), at least 32 bytes. */
  readonly secret?: string
  /** A public key in PEM: RSA (RS256), P-256 (ES256) or Ed25519 (EdDSA). */
  readonly publicKey?: string
  /** A file or an https URL with a set of such keys. */
  readonly jwks?: string
}

/** Gives a token's claims. Throws ApiError `unauthenticated`, or `key_server_unavailable`. */
export type VerifyJwt = (token: string) => Promise<JWTPayload>

interface Source {
  readonly algorithms: readonly string[]
  readonly key: KeyObject | JWTVerifyGetKey
}

const MAX_TOKEN_BYTES = 8192
const MIN_SECRET_BYTES = 32
const MIN_RSA_BITS = 2048
/** Seconds by which clocks may differ. */
const CLOCK_TOLERANCE = 5
const EDWARDS = ['EdDSA', 'Ed25519']

/**
 * Reads the configured key once.
 * @throws EngineError `bad_request` that says what is wrong with the settings
 */
export async function createJwtVerifier(
  settings: JwtSettings,
  log: (line: string) => void,
  now: () => number = Date.now,
): Promise<VerifyJwt> {
  const { algorithms, key } = await sourceOf(settings, log)
  return async (token) => {
    const options = {
      algorithms: [...algorithms],
      issuer: settings.issuer,
      audience: settings.audience,
      requiredClaims: ['exp', 'sub'],
      clockTolerance: CLOCK_TOLERANCE,
      currentDate: new Date(now()),
    }
    try {
      checkSize(token)
      const { payload } =
        typeof key === 'function'
          ? await jwtVerify(token, key, options)
          : await jwtVerify(token, key, options)
      return payload
    } catch (error) {
      throw refusalOf(error)
    }
  }
}

export function checkSize(token: string): void {
  if (token.length > MAX_TOKEN_BYTES) {
    throw badCredential(`The token is longer than ${MAX_TOKEN_BYTES} bytes.`)
  }
}

/** Says a fault of a token without repeating the token; anything else is passed on. */
export function refusalOf(error: unknown): unknown {
  if (error instanceof errors.JWTExpired) return badCredential('The token has expired.')
  if (error instanceof errors.JWTClaimValidationFailed) {
    const fault = error.reason === 'missing' ? 'is missing' : 'is not what this server accepts'
    return badCredential(`The token's claim '${error.claim}' ${fault}.`)
  }
  if (error instanceof errors.JOSEAlgNotAllowed) {
    return badCredential('The token is signed with an algorithm that this server does not accept.')
  }
  if (error instanceof errors.JWKSMultipleMatchingKeys) {
    return badCredential("The token does not say which key signed it ('kid').")
  }
  return error instanceof errors.JOSEError
    ? badCredential('The token is not valid, or not signed by a key that this server knows.')
    : error
}

async function sourceOf(settings: JwtSettings, log: (line: string) => void): Promise<Source> {
  const { issuer, audience, secret, publicKey, jwks } = settings
  const given = [secret, publicKey, jwks].filter((each) => each !== undefined)
  if (given.length !== 1) {
    throw wrong('Give exactly one of a JWT secret, a public key (PEM) and a key set (JWKS).')
  }
  if (!issuer || !audience) {
    throw wrong(
      'JWT needs an issuer and an audience to check: whoever signs, signs for others too.',
    )
  }
  if (secret !== undefined) return fromSecret(secret)
  if (publicKey !== undefined) return fromPem(publicKey)
  const key = await fromJwks(jwks ?? '', log)
  return { key, algorithms: ['RS256', 'ES256', ...EDWARDS] }
}

function fromSecret(secret: string): Source {
  if (Buffer.byteLength(secret) < MIN_SECRET_BYTES) {
    throw wrong(`The JWT secret must be at least ${MIN_SECRET_BYTES} bytes long.`)
  }
  return { key: createSecretKey(Buffer.from(secret)), algorithms: ['HS256'] }
}

function fromPem(pem: string): Source {
  if (pem.includes('PRIVATE KEY')) {
    throw wrong('The JWT key is a private key. Give the public one: openssl pkey -pubout.')
  }
  const key = readPem(pem)
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {}
  switch (key.asymmetricKeyType) {
    case 'rsa':
      if (modulusLength < MIN_RSA_BITS)
        throw wrong(`The JWT key has less than ${MIN_RSA_BITS} bits.`)
      return { key, algorithms: ['RS256'] }
    case 'ec':
      if (namedCurve !== 'prime256v1') break
      return { key, algorithms: ['ES256'] }
    case 'ed25519':
      return { key, algorithms: EDWARDS }
  }
  throw wrong('The JWT key must be RSA, P-256 or Ed25519.')
}

function readPem(pem: string): KeyObject {
  try {
    return createPublicKey(pem)
  } catch (cause) {
    throw wrong('The JWT key is no public key in PEM.', cause)
  }
}

async function fromJwks(place: string, log: (line: string) => void): Promise<JWTVerifyGetKey> {
  if (!/^https?:/i.test(place)) return fromFile(place)
  const url = URL.canParse(place) ? new URL(place) : null
  if (!url || (url.protocol === 'http:' && !isLoopback(url.hostname))) {
    throw wrong('The address of the JWT key set must begin with https://.')
  }
  return fromRemote(url, log)
}

async function fromFile(file: string): Promise<JWTVerifyGetKey> {
  try {
    const set = JSON.parse(await readFile(file, 'utf8')) as JSONWebKeySet
    return createLocalJWKSet(set)
  } catch (cause) {
    throw wrong(`The JWT key set ${file} cannot be read: ${String(cause)}.`, cause)
  }
}

/** Fetched when first needed, and again when a token names a key that is not in it. */
function fromRemote(url: URL, log: (line: string) => void): JWTVerifyGetKey {
  const remote = createRemoteJWKSet(url)
  return async (header, token) => {
    try {
      return await remote(header, token)
    } catch (error) {
      const isOfToken =
        error instanceof errors.JWKSNoMatchingKey ||
        error instanceof errors.JWKSMultipleMatchingKeys ||
        error instanceof errors.JOSENotSupported
      if (isOfToken) throw error
      log(`the JWT key set ${url.href} cannot be fetched: ${String(error)}`)
      throw new ApiError(
        'key_server_unavailable',
        'The keys that tokens are checked with cannot be fetched at the moment; try again.',
      )
    }
  }
}

function wrong(message: string, cause?: unknown): EngineError {
  return new EngineError('bad_request', message, { param: 'jwt', cause })
}
