/** The package's version, read from the nearest `package.json` above: one line works from source and from `dist`. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The version in the package's own `package.json`. */
export function packageVersion(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  for (;;) {
    try {
      const found: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
      if (isPackage(found) && found.name === 'illuminator') return found.version
    } catch (cause) {
      // No package.json at this level: look one higher. Anything else is a broken installation.
      if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
    }
    const parent = dirname(folder)
    if (parent === folder)
      throw new Error('illuminator: its package.json was not found above its own code')
    folder = parent
  }
}

function isPackage(value: unknown): value is { name: string; version: string } {
  return typeof value === 'object' && value !== null && 'name' in value && 'version' in value
}
