/** What the server keeps in its database, opened and closed as one: keys, tokens, limits, the ledger. */
import { Authenticator } from './auth/authenticator.ts'
import { Credentials } from './auth/credentials.ts'
import { createJwtVerifier, type JwtSettings } from './auth/jwt.ts'
import { TokenIssuer } from './auth/token-issuer.ts'
import { Limiter } from './limits/limiter.ts'
import { Ledger } from './observe/ledger.ts'
import { LedgerRetention } from './observe/ledger-retention.ts'
import { Database } from './store/database.ts'

export interface ServerState {
  readonly database: Database
  readonly credentials: Credentials
  readonly issuer: TokenIssuer
  readonly authenticator: Authenticator
  readonly limiter: Limiter
  readonly ledger: Ledger
  /** Null: the ledger is kept for ever. */
  readonly retention: LedgerRetention | null
  /** Writes what is not written yet. Idempotent. */
  close(): Promise<void>
}

export interface StateOptions {
  /** The database: a path, or ":memory:". */
  readonly file: string
  /** Whose tokens are good beside our own. */
  readonly jwt?: JwtSettings
  /** Days that entries of the ledger are kept; 0, the default: for ever. */
  readonly ledgerDays?: number
  readonly log: (line: string) => void
  readonly now?: () => number
}

/**
 * Opens the database and what is in it.
 * @throws EngineError `bad_request` for a database that cannot be opened, or JWT settings that are wrong
 */
export async function openState({
  file,
  jwt,
  ledgerDays: days = 0,
  log,
  now = Date.now,
}: StateOptions): Promise<ServerState> {
  // First, because it opens nothing that would have to be closed again.
  const verifyJwt = jwt ? await createJwtVerifier(jwt, log, now) : null
  const database = await Database.open(file)
  const credentials = new Credentials(database, now)
  const issuer = new TokenIssuer(database, now)
  const limiter = await Limiter.open(database, { log, now })
  const ledger = new Ledger(database, log)
  const retention = days > 0 ? new LedgerRetention(database, { days, log, now }) : null
  let closing: Promise<void> | undefined
  return {
    database,
    credentials,
    issuer,
    authenticator: new Authenticator(credentials, issuer, verifyJwt),
    limiter,
    ledger,
    retention,
    close() {
      closing ??= Promise.all([limiter.written(), ledger.written(), retention?.stop()]).then(() =>
        database.closeWhenIdle(),
      )
      return closing
    },
  }
}
