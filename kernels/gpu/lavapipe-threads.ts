/** How many threads lavapipe computes with, which Mesa reads from the environment when an adapter is opened. */
import { availableParallelism } from 'node:os'

/** Beyond so many cores lavapipe's own choice, one thread a core, stays: nothing was measured there. */
const FEW_CORES = 4

/**
 * Sets `LP_NUM_THREADS` where it is not set. lavapipe cuts every dispatch into as many equal parts as it has threads, and the
 * slowest decides: two parts a core leave the system something to even out when it wakes two threads on one core (docs/
 * benchmarks.md has what that gains). On a single core the thread that hands out work does it best by itself.
 */
export function setLavapipeThreads(env: NodeJS.ProcessEnv, cores = availableParallelism()): void {
  if (env.LP_NUM_THREADS || cores > FEW_CORES) return
  env.LP_NUM_THREADS = String(cores === 1 ? 0 : 2 * cores)
}
