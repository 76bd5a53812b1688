/** The package's version; a package may import itself by name, so this works from source and from `dist`. */
import { createRequire } from 'node:module'

/** The version in the package's own `package.json`. */
export function packageVersion(): string {
  const { version } = createRequire(import.meta.url)('illuminator/package.json') as {
    version: string
  }
  return version
}
