/** What the process's signals do to a server. */
import type { RunningServer } from './serve.ts'

/**
 * Closes the server on SIGTERM or SIGINT and leaves with 0; a second signal leaves at once.
 * @param server or one that is about to be: it listens before all of it is there
 * @returns takes the handlers off again
 */
export function closeOnSignals(
  server: RunningServer | Promise<RunningServer>,
  log: (line: string) => void,
): () => void {
  let asked = false
  const onSignal = (signal: NodeJS.Signals) => {
    if (asked) process.exit(signal === 'SIGINT' ? 130 : 143)
    asked = true
    log(`${signal}: finishing what is under way (again to leave at once)`)
    Promise.resolve(server).then(
      (running) => running.close(),
      () => undefined, // whoever started it hears why
    )
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return () => {
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
}
