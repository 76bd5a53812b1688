/**
 * How a command ends: the documented exit codes, and the one line on stderr that says what went wrong.
 *
 * | code | meaning |
 * |---|---|
 * | 0 | done |
 * | 1 | something failed while running |
 * | 2 | the command line is wrong: nothing was started |
 * | 130 | interrupted (Ctrl-C) |
 */
import { CommanderError } from 'commander'
import { EngineError } from '../engine/errors.ts'

export const EXIT = { ok: 0, runtime: 1, usage: 2, interrupted: 130 } as const

/** The command line asks for something that cannot be; the message says what and what to do. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** A command came to nothing for a reason that is known and said: there is no bug to look for. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError'

  get exitCode(): number {
    return EXIT.runtime
  }
}

/** Ctrl-C, where the command as a whole ends by it. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

/** The exit code for a thrown value. */
export function exitCodeFor(error: unknown): number {
  // Help and version are "errors" that end commander's parsing; both are what the user asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  if (error instanceof UsageError) return EXIT.usage
  if (error instanceof Interrupted) return EXIT.interrupted
  if (error instanceof CommandError) return error.exitCode
  if (error instanceof EngineError) {
    if (error.code === 'bad_request') return EXIT.usage
    if (error.code === 'aborted') return EXIT.interrupted
  }
  return EXIT.runtime
}

/**
 * What to print for a thrown value; `null` when the user knows already (help, version, a usage message that commander
 * printed, Ctrl-C).
 * @param debug value of the `DEBUG` variable; a list that holds `illuminator` adds stack and causes
 */
export function errorLine(error: unknown, debug: string | undefined): string | null {
  if (error instanceof CommanderError || exitCodeFor(error) === EXIT.interrupted) return null
  const wantsStack = (debug ?? '').split(',').includes('illuminator')
  if (!(error instanceof Error)) return `illuminator: ${String(error)}`
  if (wantsStack) return `illuminator: ${stackOf(error)}`
  const hint = isExpected(error) ? '' : ' (DEBUG=illuminator shows where)'
  return `illuminator: ${error.message.replace(/\s*\n\s*/g, ' ')}${hint}`
}

const isExpected = (error: Error): boolean =>
  [EngineError, UsageError, CommandError].some((type) => error instanceof type)

function stackOf(error: Error): string {
  const own = error.stack ?? error.message
  return error.cause instanceof Error ? `${own}\ncaused by ${stackOf(error.cause)}` : own
}
