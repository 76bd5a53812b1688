/** Prints docs/configuration.md from the declarations of the options of `illuminator serve`, and of clients' settings. */
import { Command } from 'commander'
import { CLIENT_SETTINGS, type ClientSetting } from '../cli/client/settings.ts'
import { addServe } from '../cli/commands/serve.ts'
import { expectationOf, OTHER_VARIABLES, type Setting, settingsOf } from '../cli/config/settings.ts'
import { processIo } from '../cli/io.ts'
import { parts } from '../cli/open-engine.ts'

const HEAD = `# Configuration

<!-- Printed by test/print-configuration.ts: UPDATE_DOCS=1 npm test -- cli/config -->

\`illuminator serve\` has its settings in one place, who asks a model (\`generate\`, \`chat\`, \`run\`, \`batch\`, \`ps\`) in
[another](#of-who-asks-a-model).

## Of \`illuminator serve\`

A setting is a flag, a variable and a key of a JSON file. The first that is there wins: **flag, variable, file,
default**. The file is the one that \`--config\` or \`ILLUMINATOR_CONFIG\` names, else \`config.json\` in the data folder
(\`--data\`), if it is there. Variables and keys that are not known are
errors that name the nearest known one; an empty variable counts as not set. Lists in a variable are separated by
commas, switches are \`1\` or \`0\`.

\`\`\`json
{ "host": "0.0.0.0", "port": 8080, "allowedHost": ["models.example"], "maxSequences": 8 }
\`\`\`
`

const CLIENT = `## Of who asks a model

What \`illuminator config set\` keeps, in \`client.json\` in \`$XDG_CONFIG_HOME/illuminator\`, else
\`~/.config/illuminator\`; readable by its owner only, because of the API key. The first that is there wins: **flag,
variable, file, default**. \`config list\` says what holds and where it is from; a key that is not known is an error that
names the nearest known one. [cli.md](cli.md#your-settings) has the commands.
`

/** The serve command, as the program builds it. */
export function serveCommand(env: Record<string, string> = {}): Command {
  const program = new Command()
  addServe(program, { io: { ...processIo(), env }, parts })
  const command = program.commands.find((one) => one.name() === 'serve')
  if (!command) throw new Error('there is no serve command')
  return command
}

export function configurationPage(): string {
  const rows = settingsOf(serveCommand()).map(row)
  const others = OTHER_VARIABLES.flatMap(({ name, help }) =>
    help === null ? [] : [`| \`${name}\` | ${help} |`],
  )
  return [
    HEAD,
    '| Flag | Variable | Key | Takes | Default | |',
    '|---|---|---|---|---|---|',
    ...rows,
    '',
    'Variables without a flag:',
    '',
    '| Variable | |',
    '|---|---|',
    ...others,
    '',
    'Variables of Hugging Face, `DEBUG` and `NO_COLOR` are in the [README](../README.md#environment-variables),',
    'those of OpenTelemetry (`OTEL_*`) in [operations.md](operations.md#traces).',
    '',
    CLIENT,
    '| Key | Flag | Variable | Takes | Default | |',
    '|---|---|---|---|---|---|',
    ...CLIENT_SETTINGS.map(clientRow),
    '',
  ].join('\n')
}

function row(setting: Setting): string {
  const { option, key, variable } = setting
  // Some defaults are the engine's own; the help says them.
  const [, said] = /\(default: ([^)]*)\)/.exec(option.description) ?? []
  const given: unknown = option.defaultValue
  const value = given === undefined ? (said ?? '') : `\`${String(given)}\``
  const help = option.description.replace(/ ?\(default: [^)]*\)/, '')
  // A file cannot name another.
  const inFile = key === 'config' ? '' : `\`${key}\``
  return line([
    `\`--${option.name()}\``,
    `\`${variable}\``,
    inFile,
    expectationOf(setting),
    value,
    help,
  ])
}

function clientRow({ key, variables, option, isSecret }: ClientSetting): string {
  const given: unknown = option.defaultValue
  return line([
    `\`${key}\``,
    // A command line is for everybody to read.
    isSecret ? '' : `\`--${option.name()}\``,
    variables.map((name) => `\`${name}\``).join(', '),
    expectationOf({ option, kind: 'value' }),
    given === undefined ? (option.defaultValueDescription ?? '') : `\`${String(given)}\``,
    option.description,
  ])
}

const line = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
