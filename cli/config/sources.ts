/**
 * Fills in what the command line left open: from `ILLUMINATOR_*` variables, then from a file, then the defaults. What is
 * not known is an error, because a setting that is silently ignored is found out in production.
 */
import { existsSync, readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { UsageError } from '../exit.ts'
import type { Io } from '../io.ts'
import { suggestion } from './nearest.ts'
import { parseValue, shown } from './parse-value.ts'
import { OTHER_VARIABLES, type Setting, settingsOf } from './settings.ts'

type Variables = Io['env']

/** The key of the setting that names the file; no file may name another. */
const FILE = 'config'

/**
 * Completes a command's options; for its `preAction` hook.
 * @param usualFile read when no other is named, if it is there
 * @throws UsageError that names the variable or the key, and what it should be
 */
export function applySettings(command: Command, env: Variables, usualFile: string | null): void {
  const settings = settingsOf(command)
  checkVariables(settings, env)
  for (const setting of settings) {
    const text = env[setting.variable]
    // An empty variable is how compose files and shells say "not set".
    if (text === undefined || text === '' || isGiven(command, setting)) continue
    set(command, setting, fromText(setting, text, setting.variable + hintFor(text)), 'env')
  }
  const file = readFile(command, usualFile)
  if (!file) return
  checkKeys(settings, file)
  for (const setting of settings) {
    if (!Object.hasOwn(file.values, setting.key) || isGiven(command, setting)) continue
    const name = `"${setting.key}" in ${file.path}`
    set(command, setting, fromJson(setting, file.values[setting.key], name), 'config')
  }
}

function isGiven(command: Command, { key }: Setting): boolean {
  const source = command.getOptionValueSource(key)
  return source === 'cli' || source === 'env'
}

function set(command: Command, { key }: Setting, value: unknown, source: string): void {
  command.setOptionValueWithSource(key, value, source)
}

/** What Kubernetes puts into every pod beside a service that is called `illuminator`. */
const SERVICE_LINK = /^ILLUMINATOR_(SERVICE_(HOST|PORT)|PORT_\d+_(TCP|UDP))/

function checkVariables(settings: readonly Setting[], env: Variables): void {
  const known = [...settings, ...OTHER_VARIABLES.map(({ name }) => ({ variable: name }))]
  const names = known.map(({ variable }) => variable)
  for (const name of Object.keys(env)) {
    if (!name.startsWith('ILLUMINATOR_') || names.includes(name) || SERVICE_LINK.test(name))
      continue
    throw new UsageError(`The variable ${name} is not known; ${suggestion(name, names)}`)
  }
}

const hintFor = (text: string): string =>
  /^(tcp|udp):\/\//.test(text) ? ' (set by Kubernetes; enableServiceLinks: false stops that)' : ''

interface ConfigFile {
  readonly path: string
  readonly values: Readonly<Record<string, unknown>>
}

function readFile(command: Command, usualFile: string | null): ConfigFile | null {
  const named: unknown = command.getOptionValue(FILE)
  const path = typeof named === 'string' ? named : usualFile
  if (path === null || (path !== named && !existsSync(path))) return null
  let values: unknown
  try {
    values = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new UsageError(`The configuration file ${path} cannot be read: ${why}`)
  }
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw new UsageError(`The configuration file ${path} must hold one JSON object.`)
  }
  return { path, values: { ...values } }
}

function checkKeys(settings: readonly Setting[], { path, values }: ConfigFile): void {
  const keys = settings.map(({ key }) => key).filter((key) => key !== FILE)
  for (const key of Object.keys(values)) {
    if (keys.includes(key)) continue
    throw new UsageError(`"${key}" in ${path} is not known; ${suggestion(key, keys)}`)
  }
}

const TRUTHS: Readonly<Record<string, boolean>> = {
  '1': true,
  true: true,
  yes: true,
  on: true,
  '0': false,
  false: false,
  no: false,
  off: false,
}

function fromText(setting: Setting, text: string, name: string): unknown {
  if (setting.kind === 'list') return text.split(',').flatMap((part) => part.trim() || [])
  if (setting.kind === 'value') return parseValue(setting.option, text, name)
  const truth = TRUTHS[text.toLowerCase()]
  if (truth === undefined) throw new UsageError(`${name} is ${shown(text)}: expected 1 or 0.`)
  return truth
}

function fromJson(setting: Setting, value: unknown, name: string): unknown {
  const wrong = (expected: string) =>
    new UsageError(`${name} is ${shown(value)}: expected ${expected}.`)
  if (setting.kind === 'switch') {
    if (typeof value !== 'boolean') throw wrong('true or false')
    return value
  }
  if (setting.kind === 'list') {
    if (typeof value === 'string') return [value]
    const isList = Array.isArray(value) && value.every((one) => typeof one === 'string')
    if (!isList) throw wrong('a string or a list of strings')
    return value
  }
  const isNumber = typeof value === 'number' && setting.option.parseArg !== undefined
  if (typeof value !== 'string' && !isNumber) throw wrong('a string, or a number where it is one')
  return parseValue(setting.option, String(value), name)
}
