/** `illuminator keys create | list | revoke`: who may use the server. A running server follows at once. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Credential, Credentials, Scope, Tier } from '../../server/index.ts'
import { UsageError } from '../exit.ts'
import { note, write } from '../io.ts'
import { whole } from '../options.ts'
import type { Deps } from '../session.ts'

interface Place {
  data?: string
}

interface CreateFlags extends Place {
  name: string
  client?: boolean
  tier: Tier
  scope?: Scope[]
  expires?: number
  rpm?: number
  tokensPerHour?: number
  json?: boolean
}

/** As the server has them; a test holds them together. Here, because `--help` must not wait for the server's code. */
export const TIERS = ['free', 'basic', 'pro', 'enterprise'] as const
export const KEY_SCOPES = ['generate', 'batch', 'models:write', 'admin'] as const

const DEFAULT_SCOPES: readonly Scope[] = ['generate', 'batch']
const UNITS = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const

export function addKeys(program: Command, deps: Deps): void {
  const keys = program.command('keys').description('who may use the server')
  const at = (command: Command) =>
    command.option('--data <folder>', 'the server’s data folder (ILLUMINATOR_DATA)')
  at(
    keys
      .command('create')
      .description('make a key, or a client of OAuth; its secret is shown once'),
  )
    .requiredOption('--name <name>', 'to tell it from others', name)
    .option('--client', 'a client that fetches tokens at /oauth/token, instead of a key')
    .addOption(new Option('--tier <tier>', 'what it may use').choices(TIERS).default('free'))
    .addOption(
      new Option(
        '--scope <scope>',
        `what it may do, may be repeated (default: ${DEFAULT_SCOPES.join(', ')})`,
      )
        .choices(KEY_SCOPES)
        .argParser(scopes),
    )
    .option(
      '--expires <time>',
      'how long it is good for: 12h, 30d, 8w (default: for good)',
      duration,
    )
    .option('--rpm <n>', 'requests a minute, instead of the tier’s', whole(1, 0x7fffffff))
    .option('--tokens-per-hour <n>', 'instead of the tier’s', whole(1, Number.MAX_SAFE_INTEGER))
    .option('--json', 'print JSON')
    .action((flags: CreateFlags) => create(deps, flags))
  at(keys.command('list').alias('ls').description('list keys and clients, never their secrets'))
    .option('--json', 'print JSON')
    .action((flags: Place & { json?: boolean }) => list(deps, flags))
  at(keys.command('revoke').description('end a key or a client, at once and for good'))
    .argument('<id>', 'as "keys list" prints it')
    .action((id: string, flags: Place) => revoke(deps, id, flags))
}

async function create(deps: Deps, flags: CreateFlags): Promise<void> {
  const { credential, secret } = await withCredentials(deps, flags, (credentials, now) =>
    credentials.create({
      kind: flags.client ? 'client' : 'key',
      name: flags.name,
      tier: flags.tier,
      scopes: flags.scope ?? DEFAULT_SCOPES,
      limits: {
        requestsPerMinute: flags.rpm ?? null,
        tokensPerHour: flags.tokensPerHour ?? null,
      },
      expiresAt: flags.expires === undefined ? null : now + flags.expires,
    }),
  )
  const { stdout } = deps.io
  if (flags.json) {
    return write(stdout, `${JSON.stringify({ ...wire(credential), secret }, null, 2)}\n`)
  }
  note(deps.io, `${credential.id}: ${describe(credential)}. The secret is shown this once.`)
  // On stdout the secret alone, for scripts to catch.
  const text = flags.client ? `client_id=${credential.id}\nclient_secret=${secret}` : secret
  await write(stdout, `${text}\n`)
}

async function list(deps: Deps, flags: Place & { json?: boolean }): Promise<void> {
  const all = await withCredentials(deps, flags, (credentials) => credentials.list())
  if (flags.json) return write(deps.io.stdout, `${JSON.stringify(all.map(wire), null, 2)}\n`)
  if (all.length === 0) {
    return note(deps.io, 'There is no key yet; "illuminator keys create --name <name>" makes one.')
  }
  for (const credential of all) {
    const { id, lastUsedAt } = credential
    const used = lastUsedAt === null ? 'never used' : `used ${new Date(lastUsedAt).toISOString()}`
    await write(deps.io.stdout, `${id.padEnd(19)}  ${describe(credential)}, ${used}\n`)
  }
}

async function revoke(deps: Deps, id: string, flags: Place): Promise<void> {
  const found = await withCredentials(deps, flags, (credentials) => credentials.revoke(id))
  if (!found) throw new UsageError(`There is no key ${id}; "illuminator keys list" shows them.`)
  note(deps.io, `${id} is revoked.`)
}

/** Opens the database of the data folder for one piece of work. */
async function withCredentials<T>(
  { io, parts }: Deps,
  { data }: Place,
  work: (credentials: Credentials, now: number) => Promise<T>,
): Promise<T> {
  const { Credentials, Database, databaseFile, defaultDataFolder } = await parts.server()
  const database = await Database.open(databaseFile(data ?? defaultDataFolder(io.env)))
  // One command is one moment: a key's lifetime is then what was asked for, to the millisecond.
  const now = Date.now()
  try {
    return await work(new Credentials(database, () => now), now)
  } finally {
    await database.closeWhenIdle()
  }
}

function stateOf({ revokedAt, expiresAt }: Credential): 'active' | 'revoked' | 'expired' {
  if (revokedAt !== null) return 'revoked'
  return expiresAt !== null && expiresAt <= Date.now() ? 'expired' : 'active'
}

function describe(credential: Credential): string {
  const { name, tier, scopes, limits, expiresAt } = credential
  const parts = [
    JSON.stringify(name),
    stateOf(credential),
    tier,
    scopes.join(' '),
    ...(limits.requestsPerMinute === null ? [] : [`${limits.requestsPerMinute} requests/min`]),
    ...(limits.tokensPerHour === null ? [] : [`${limits.tokensPerHour} tokens/h`]),
    ...(expiresAt === null ? [] : [`until ${new Date(expiresAt).toISOString()}`]),
  ]
  return parts.join(', ')
}

function wire(credential: Credential): object {
  const time = (at: number | null) => (at === null ? null : new Date(at).toISOString())
  const { id, kind, name, tier, scopes, limits } = credential
  return {
    id,
    kind,
    name,
    tier,
    scopes,
    state: stateOf(credential),
    requests_per_minute: limits.requestsPerMinute,
    tokens_per_hour: limits.tokensPerHour,
    created_at: time(credential.createdAt),
    expires_at: time(credential.expiresAt),
    revoked_at: time(credential.revokedAt),
    last_used_at: time(credential.lastUsedAt),
  }
}

function scopes(text: string, before: readonly Scope[] | undefined): Scope[] {
  const scope = KEY_SCOPES.find((each) => each === text)
  if (scope) return [...new Set([...(before ?? []), scope])]
  throw new InvalidArgumentError(`Allowed choices are ${KEY_SCOPES.join(', ')}.`)
}

function name(text: string): string {
  if (/^[^\p{C}]{1,100}$/u.test(text)) return text
  throw new InvalidArgumentError('Expected 1 to 100 printable characters.')
}

function duration(text: string): number {
  const [, count, unit] = /^(\d{1,6})([mhdw])$/.exec(text.trim()) ?? []
  const milliseconds = Number(count) * UNITS[unit as keyof typeof UNITS]
  if (milliseconds > 0) return milliseconds
  throw new InvalidArgumentError('Expected a time such as 90m, 12h, 30d or 8w.')
}
