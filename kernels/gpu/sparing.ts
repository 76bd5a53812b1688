/**
 * Waiting for what Dawn does on threads of its own without taking a core for it. Its Node binding polls the event loop at
 * full speed while anything is pending, on a core that drivers could compile on.
 */
import { setImmediate as turn } from 'node:timers/promises'

/** How long this thread lies still between two turns of its event loop, ms. */
const PAUSE = 1
const nobody = new Int32Array(new SharedArrayBuffer(4))

/** What `work` comes to; until then this thread's event loop turns about a thousand times a second. */
export async function sparing<T>(work: Promise<T>): Promise<T> {
  let isPending = true
  const settled = (): void => {
    isPending = false
  }
  work.then(settled, settled)
  for (await turn(); isPending; await turn()) Atomics.wait(nobody, 0, 0, PAUSE)
  return work
}
