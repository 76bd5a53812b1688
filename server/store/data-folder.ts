/** Where the server keeps its state. */
import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'

export const IN_MEMORY = ':memory:'

/** `ILLUMINATOR_DATA`, else `illuminator` in the user's data folder, beside the models. */
export function defaultDataFolder(env: Readonly<Record<string, string | undefined>>): string {
  if (env.ILLUMINATOR_DATA === IN_MEMORY) return IN_MEMORY
  if (env.ILLUMINATOR_DATA) return resolve(env.ILLUMINATOR_DATA)
  const data = env.XDG_DATA_HOME
  const root = data !== undefined && isAbsolute(data) ? data : join(homedir(), '.local', 'share')
  return join(root, 'illuminator')
}

/** The database in a data folder; ":memory:" keeps nothing. */
export function databaseFile(folder: string): string {
  return folder === IN_MEMORY ? IN_MEMORY : join(resolve(folder), 'illuminator.db')
}
