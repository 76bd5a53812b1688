/** Which settings hold: a flag before a variable before `client.json` before the default. */
import type { Command } from 'commander'
import { parseValue } from '../config/parse-value.ts'
import type { Io } from '../io.ts'
import { type ClientValues, clientFile, readClientFile } from './file.ts'
import { CLIENT_SETTINGS, type ClientSetting } from './settings.ts'

export interface Effective {
  readonly value: unknown
  /** Where the value is from; the variable by its name. */
  readonly source: string
}

/** What holds where no flag says otherwise; null where nothing is set and there is no default. */
export function effective(
  { key, variables, option }: ClientSetting,
  env: Io['env'],
  values: ClientValues,
  path: string,
): Effective | null {
  // An empty variable is how shells say "not set".
  const variable = variables.find((name) => env[name])
  if (variable !== undefined) {
    const text = firstOf(variable, env[variable] ?? '')
    return { value: parseValue(option, text, variable), source: variable }
  }
  const kept = values[key]
  if (kept !== undefined) {
    return { value: parseValue(option, String(kept), `"${key}" in ${path}`), source: 'file' }
  }
  return option.defaultValue === undefined
    ? null
    : { value: option.defaultValue, source: 'default' }
}

/** `serve` takes several models, of which the first is the usual one. */
const firstOf = (variable: string, text: string): string =>
  variable === 'ILLUMINATOR_MODEL' ? (text.split(',')[0] ?? text).trim() : text

/**
 * Completes a command's flags; for its `preAction` hook. The API key has no flag and comes among them all the same.
 * @param leaveOut flags that are only what the command line says
 * @throws UsageError that names the variable or the key, and what it should be
 */
export async function applyClientSettings(
  command: Command,
  env: Io['env'],
  leaveOut: readonly string[] = [],
): Promise<void> {
  const path = clientFile(env)
  const values = await readClientFile(path)
  const flags = new Set(command.options.map((option) => option.attributeName()))
  for (const setting of CLIENT_SETTINGS) {
    const flag = setting.option.attributeName()
    const isTaken =
      (flags.has(flag) && !leaveOut.includes(flag)) || (flag === 'apiKey' && flags.has('url'))
    if (!isTaken || command.getOptionValueSource(flag) === 'cli') continue
    const found = effective(setting, env, values, path)
    if (found && found.source !== 'default') {
      command.setOptionValueWithSource(
        flag,
        found.value,
        found.source === 'file' ? 'config' : 'env',
      )
    }
  }
}
