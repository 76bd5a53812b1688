/**
 * What can be set for those who use a model, in `client.json`: names as the contract has them, each the default of a
 * flag, which has its parser and its help. What `serve` is set with is another matter: `cli/config`.
 */
import { Command, type Option } from 'commander'
import { suggestion } from '../config/nearest.ts'
import { UsageError } from '../exit.ts'
import { addSampling } from '../options.ts'
import { addServer, INSTEAD } from './options.ts'

export interface ClientSetting {
  /** In the file. */
  readonly key: string
  /** Another word for it. */
  readonly alias?: string
  /** Its environment variables; the first that is set wins. */
  readonly variables: readonly string[]
  /** Never shown whole. */
  readonly isSecret?: true
  /** Whose parser and help it takes. */
  readonly option: Option
}

/** Options by name; those that only the configuration has are declared here. */
const OPTIONS = addServer(addSampling(new Command(), undefined), INSTEAD)
  .option('--model <model>', 'the model, where none is named')
  .option('--api-key <key>', 'API key for the server')
  .option(
    '--system-message <text>',
    'what the model of a chat is told before the conversation',
  ).options

const named = (flag: string): Option => {
  const found = OPTIONS.find((option) => option.attributeName() === flag)
  if (found) return found
  throw new Error(`There is no option ${flag}.`)
}

export const CLIENT_SETTINGS: readonly ClientSetting[] = [
  {
    key: 'api_key',
    variables: ['ILLUMINATOR_API_KEY'],
    isSecret: true,
    option: named('apiKey'),
  },
  {
    key: 'base_url',
    alias: 'url',
    // In the order of the Python client.
    variables: ['ILLUMINATOR_BASE_URL', 'ILLUMINATOR_URL'],
    option: named('url'),
  },
  { key: 'model', variables: ['ILLUMINATOR_MODEL'], option: named('model') },
  { key: 'timeout', variables: [], option: named('timeout') },
  { key: 'max_retries', variables: [], option: named('maxRetries') },
  { key: 'retry_delay', variables: [], option: named('retryDelay') },
  { key: 'max_tokens', variables: [], option: named('maxTokens') },
  { key: 'temperature', variables: [], option: named('temperature') },
  { key: 'top_p', variables: [], option: named('topP') },
  { key: 'system_message', variables: [], option: named('systemMessage') },
]

/**
 * @param where what the name stands in, for the message
 * @throws UsageError for a name that is not known, with the nearest
 */
export function clientSetting(name: string, where = ''): ClientSetting {
  const wanted = name.replaceAll('-', '_').toLowerCase()
  const found = CLIENT_SETTINGS.find(({ key, alias }) => key === wanted || alias === wanted)
  if (found) return found
  const known = CLIENT_SETTINGS.map(({ key }) => key)
  throw new UsageError(
    `There is no setting ${JSON.stringify(name)}${where}; ${suggestion(name, known)}`,
  )
}
