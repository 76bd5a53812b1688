/** Whose tokens `serve` trusts. Secrets come in files: a command line is for everybody to read. */
import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import type { JwtSettings } from '../server/index.ts'
import { UsageError } from './exit.ts'

export interface JwtFlags {
  jwtIssuer?: string
  jwtAudience?: string
  jwtSecretFile?: string
  jwtKeyFile?: string
  jwks?: string
}

export function addJwt(command: Command): Command {
  return command
    .option('--jwt-issuer <iss>', 'accept tokens (JWT) of this issuer')
    .option('--jwt-audience <aud>', 'what such tokens must be meant for')
    .option('--jwt-secret-file <file>', 'their secret (HS256), at least 32 bytes')
    .option('--jwt-key-file <file>', 'or their public key in PEM (RS256, ES256, EdDSA)')
    .option('--jwks <place>', 'or a set of such keys: a file or an https URL')
}

/**
 * The settings from the flags; none: undefined.
 * @throws UsageError for a part of them only, or a file that cannot be read
 */
export async function jwtFrom(flags: JwtFlags): Promise<JwtSettings | undefined> {
  const { jwtIssuer, jwtAudience, jwtSecretFile, jwtKeyFile, jwks } = flags
  const keys = [jwtSecretFile, jwtKeyFile, jwks].filter((each) => each !== undefined)
  if (keys.length === 0 && jwtIssuer === undefined && jwtAudience === undefined) return undefined
  if (keys.length !== 1 || jwtIssuer === undefined || jwtAudience === undefined) {
    throw new UsageError(
      'To accept tokens give --jwt-issuer, --jwt-audience and one of --jwt-secret-file, --jwt-key-file and --jwks.',
    )
  }
  return {
    issuer: jwtIssuer,
    audience: jwtAudience,
    ...(jwtSecretFile === undefined ? {} : { secret: await read(jwtSecretFile) }),
    ...(jwtKeyFile === undefined ? {} : { publicKey: await read(jwtKeyFile) }),
    ...(jwks === undefined ? {} : { jwks }),
  }
}

/** Without the line break that editors leave at the end. */
async function read(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).replace(/\r?\n$/, '')
  } catch (cause) {
    throw new UsageError(`${file} cannot be read: ${String(cause)}`, { cause })
  }
}
