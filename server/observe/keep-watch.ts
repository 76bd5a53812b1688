/** Looks at the engine once a second, and tells the operator when it stands still and when it goes on. */
import type { Lifecycle } from '../lifecycle.ts'
import type { Log } from './log.ts'

const EVERY = 1000

/** @returns ends it */
export function keepWatch(lifecycle: Lifecycle, log: Log): () => void {
  let fault: string | null = null
  const timer = setInterval(() => {
    lifecycle.look()
    const before = fault
    fault = lifecycle.fault
    if (before === null && fault !== null) log(`unhealthy: ${fault}`)
    if (before !== null && fault === null) log('healthy again')
  }, EVERY)
  timer.unref()
  return () => clearInterval(timer)
}
