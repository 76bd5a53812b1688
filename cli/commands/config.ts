/** `illuminator config set | get | list | reset`: what who uses a model has set, in `client.json`. */
import { Argument, type Command } from 'commander'
import { effective } from '../client/effective.ts'
import { clientFile, readClientFile, writeClientFile } from '../client/file.ts'
import { CLIENT_SETTINGS, type ClientSetting, clientSetting } from '../client/settings.ts'
import { parseValue } from '../config/parse-value.ts'
import { CommandError, UsageError } from '../exit.ts'
import { note, readAll, write } from '../io.ts'
import type { Deps } from '../session.ts'

/** Lists what there is; that it is one of them is checked with a better answer than commander's. */
const settingName = (name: string, help: string): Argument =>
  Object.assign(new Argument(name, help), { argChoices: CLIENT_SETTINGS.map(({ key }) => key) })

export function addConfig(program: Command, deps: Deps): void {
  const config = program
    .command('config')
    .description('your settings: API key, server, model and defaults of answers')
    .addHelpText(
      'after',
      '\nA flag wins over a variable (ILLUMINATOR_*), a variable over what is set here.',
    )
  config
    .command('set')
    .description('keep a setting')
    .addArgument(settingName('<key>', 'which'))
    .argument(
      '[value]',
      'to what; "-" or nothing reads it from stdin, which keeps a key out of the shell’s history',
    )
    .action((key: string, value: string | undefined) => set(deps, key, value))
  config
    .command('get')
    .description('print a setting that holds, whole')
    .addArgument(settingName('<key>', 'which'))
    .action((key: string) => get(deps, key))
  config
    .command('list')
    .alias('ls')
    .description('print what holds and where it is from; of the API key only the end')
    .option('--json', 'print JSON')
    .action((flags: { json?: boolean }) => list(deps, flags))
  config
    .command('reset')
    .description('forget a setting, or all of them')
    .addArgument(settingName('[key]', 'which (default: all)'))
    .action((key: string | undefined) => reset(deps, key))
}

async function set({ io }: Deps, name: string, given: string | undefined): Promise<void> {
  const setting = clientSetting(name)
  const { key, option } = setting
  const isPiped = given === '-' || (given === undefined && !io.stdin.isTTY)
  const text = (isPiped ? await readAll(io.stdin) : given)?.trim()
  if (!text)
    throw new UsageError(`No value for ${key}; "illuminator config reset ${key}" forgets it.`)
  const value = parseValue(option, text, key) as string | number
  const path = clientFile(io.env)
  await writeClientFile(path, { ...(await readClientFile(path)), [key]: value })
  note(io, `${key} = ${shownValue(setting, value)} (${path})`)
  const winner = setting.variables.find((name) => io.env[name])
  if (winner) note(io, `${winner} is set too, and wins.`)
}

async function get({ io }: Deps, name: string): Promise<void> {
  const setting = clientSetting(name)
  const path = clientFile(io.env)
  const found = effective(setting, io.env, await readClientFile(path), path)
  if (found === null) throw new CommandError(`${setting.key} is not set.`)
  await write(io.stdout, `${String(found.value)}\n`)
}

async function list({ io }: Deps, flags: { json?: boolean }): Promise<void> {
  const path = clientFile(io.env)
  const values = await readClientFile(path)
  const rows = CLIENT_SETTINGS.map((setting) => {
    const found = effective(setting, io.env, values, path)
    const value = found === null ? null : shownValue(setting, found.value)
    return { key: setting.key, value, source: found?.source ?? null }
  })
  if (flags.json) {
    const settings = Object.fromEntries(rows.map(({ key, ...rest }) => [key, rest]))
    return write(io.stdout, `${JSON.stringify({ file: path, settings }, null, 2)}\n`)
  }
  const width = Math.max(...rows.map(({ key }) => key.length))
  for (const { key, value, source } of rows) {
    const shown = value === null ? 'not set' : `${value}  (${source === 'file' ? path : source})`
    await write(io.stdout, `${key.padEnd(width)}  ${shown}\n`)
  }
}

async function reset({ io }: Deps, name: string | undefined): Promise<void> {
  const path = clientFile(io.env)
  if (name === undefined) {
    await writeClientFile(path, {})
    return note(io, `Nothing is set any more; ${path} is removed.`)
  }
  const { key } = clientSetting(name)
  const { [key]: _, ...rest } = await readClientFile(path)
  await writeClientFile(path, rest)
  note(io, `${key} is not set any more.`)
}

/** A secret's end is enough to tell it from others. */
function shownValue({ isSecret }: ClientSetting, value: unknown): string | number {
  if (typeof value === 'number') return value
  const text = String(value)
  if (!isSecret) return text
  return text.length >= 12 ? `…${text.slice(-4)}` : '…'
}
