/** A value that came otherwise than by its flag, read as the flag would read it. */
import { InvalidArgumentError, type Option } from 'commander'
import { UsageError } from '../exit.ts'

/**
 * By the flag's own parser.
 * @param name where the value stands, for the message
 * @throws UsageError that says what was expected
 */
export function parseValue(option: Option, text: string, name: string): unknown {
  if (!option.parseArg) return text
  try {
    return option.parseArg<unknown>(text, undefined)
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error
    throw new UsageError(`${name} is ${shown(text)}: ${error.message}`)
  }
}

export const shown = (value: unknown): string =>
  JSON.stringify(value)?.slice(0, 100) ?? String(value)
