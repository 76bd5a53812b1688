/** Options of the commands that can ask a server instead of running a model themselves. */
import { type Command, InvalidArgumentError } from 'commander'
import { real, whole } from '../options.ts'

/** For commands that are answered here or there. */
export const INSTEAD = 'ask this server instead of running a model here'

export interface ServerFlags {
  url?: string
  /** Not a flag: a variable, or the configuration. */
  apiKey?: string
  /** Seconds. */
  timeout: number
  maxRetries: number
  /** Seconds. */
  retryDelay: number
}

/** As the contract's Python client has them. */
const SERVER_DEFAULTS = { timeout: 60, maxRetries: 3, retryDelay: 1 } as const

/**
 * Adds which server is asked, and how patiently. Its key has no flag: a command line is for everybody to read.
 * @param what it is asked for
 */
export function addServer(command: Command, what: string): Command {
  return command
    .option(
      '--url <url>',
      `${what} (its key: ILLUMINATOR_API_KEY, or "config set api_key")`,
      serverUrl,
    )
    .option(
      '--timeout <seconds>',
      'longest silence of a server',
      real(0.001, 86_400),
      SERVER_DEFAULTS.timeout,
    )
    .option(
      '--max-retries <n>',
      'tries after the first, where a server is busy or has a limit',
      whole(0, 100),
      SERVER_DEFAULTS.maxRetries,
    )
    .option(
      '--retry-delay <seconds>',
      'first pause between tries; doubles, and gives way to what the server says',
      real(0, 3600),
      SERVER_DEFAULTS.retryDelay,
    )
}

/** A parser of addresses: the scheme may be left out, and `/v1`, as OpenAI's clients want it, is cut off. */
function serverUrl(text: string): string {
  const whole = text.includes('://') ? text.trim() : `http://${text.trim()}`
  const url = URL.canParse(whole) ? new URL(whole) : null
  if (!url || !/^https?:$/.test(url.protocol) || url.hostname === '') {
    throw new InvalidArgumentError('Expected an address such as http://127.0.0.1:8000.')
  }
  return `${url.origin}${url.pathname}`.replace(/\/+(v1\/*)?$/, '')
}
