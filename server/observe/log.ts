/** What the operator is told beside requests: that something failed here, and why. */

/** The same in pieces, for logs that machines read. */
export interface LoggedError {
  readonly message: string
  readonly requestId: string
  readonly error: unknown
}

/** One line for a person (a stack makes it several), and its pieces where it has some. */
export type Log = (line: string, pieces?: LoggedError) => void

/** Where nothing else is asked for. */
export const logToStderr: Log = (line) => void process.stderr.write(`${line}\n`)
