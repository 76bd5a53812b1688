/**
 * `client.json`, the settings of who uses a model: in the user's configuration folder and, because of the API key,
 * readable by nobody else.
 */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { UsageError } from '../exit.ts'
import type { Io } from '../io.ts'
import { clientSetting } from './settings.ts'

export type ClientValues = Readonly<Record<string, string | number>>

/** In `$XDG_CONFIG_HOME/illuminator`, else `~/.config/illuminator`. */
export function clientFile(env: Io['env']): string {
  const config = env.XDG_CONFIG_HOME
  const root = config !== undefined && isAbsolute(config) ? config : join(homedir(), '.config')
  return join(root, 'illuminator', 'client.json')
}

/**
 * What is set; nothing where there is no file.
 * @throws UsageError for a file that cannot be read, or a key that is not known
 */
export async function readClientFile(path: string): Promise<ClientValues> {
  const wrong = (why: string) =>
    new UsageError(`The configuration file ${path} ${why} "illuminator config reset" removes it.`)
  let values: unknown
  try {
    values = JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw wrong(`cannot be read: ${error instanceof Error ? error.message : String(error)}.`)
  }
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw wrong('must hold one JSON object.')
  }
  const entries = Object.entries(values).map(([name, value]: [string, unknown]) => {
    if (typeof value === 'string' || typeof value === 'number') {
      return [clientSetting(name, ` in ${path}`).key, value] as const
    }
    throw wrong(`has ${JSON.stringify(value)} as "${name}": expected a string or a number.`)
  })
  return Object.fromEntries(entries)
}

/** Writes it whole or not at all; without values there is no file. */
export async function writeClientFile(path: string, values: ClientValues): Promise<void> {
  if (Object.keys(values).length === 0) return rm(path, { force: true })
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const fresh = `${path}.${process.pid}`
  try {
    // A file of its own: the mode of one that is there already would stay as it is.
    await writeFile(fresh, `${JSON.stringify(values, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
    await rename(fresh, path)
  } finally {
    await rm(fresh, { force: true })
  }
}
