/**
 * What can be set. An option of a command is declared once, as a flag with its parser, default and help; its environment
 * variable and its key in the configuration file follow from its name: `--max-sequences` is
 * `ILLUMINATOR_MAX_SEQUENCES` and `"maxSequences"`.
 */
import { type Command, InvalidArgumentError, type Option } from 'commander'
import { several } from '../options.ts'

export interface Setting {
  readonly option: Option
  /** In the file, and among the parsed flags. */
  readonly key: string
  readonly variable: string
  readonly kind: 'switch' | 'list' | 'value'
}

/** Every setting of a command, in the order of its help. */
export function settingsOf(command: Command): Setting[] {
  return command.options.map((option) => {
    const key = option.attributeName()
    const kind = option.isBoolean() ? 'switch' : option.parseArg === several ? 'list' : 'value'
    return { option, key, variable: variableOf(key), kind }
  })
}

function variableOf(key: string): string {
  return `ILLUMINATOR_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}

/** Variables that no flag stands for. `help` is null for what only tests and examples read. */
export const OTHER_VARIABLES: readonly { name: string; help: string | null }[] = [
  { name: 'ILLUMINATOR_MODELS', help: 'the models folder' },
  { name: 'ILLUMINATOR_CACHE', help: 'where SwiftShader and tunings are kept' },
  {
    name: 'ILLUMINATOR_DAWN_TOGGLES',
    help: 'toggles of Dawn to switch on, see docs/benchmarks.md#toggles-of-dawn',
  },
  { name: 'ILLUMINATOR_TUNINGS', help: 'off: kernels run as if nothing had been tuned' },
  { name: 'ILLUMINATOR_URL', help: 'for clients: the server’s address; serve passes over it' },
  { name: 'ILLUMINATOR_BASE_URL', help: 'the same, as the Python SDK calls it too' },
  { name: 'ILLUMINATOR_API_KEY', help: 'for clients: the key they send; serve passes over it' },
  { name: 'ILLUMINATOR_SHARED', help: null },
  { name: 'ILLUMINATOR_CI_LAVAPIPE', help: null },
]

/** What a setting takes, in words; parsers say it themselves when they refuse. */
export function expectationOf({ option, kind }: Pick<Setting, 'option' | 'kind'>): string {
  if (kind === 'switch') return 'true or false'
  if (kind === 'list') return 'list'
  if (option.argChoices) return option.argChoices.join(', ')
  try {
    option.parseArg?.('\0', undefined)
    return 'text'
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error
    return error.message.replace(/^Expected an? /, '').replace(/\.$/, '')
  }
}
