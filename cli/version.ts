/** The package's version, without the server's code (which `--version` must not wait for). */
import { createRequire } from 'node:module'

/** The version in the package's own `package.json`. */
export function cliVersion(): string {
  const { version } = createRequire(import.meta.url)('illuminator/package.json') as {
    version: string
  }
  return version
}
