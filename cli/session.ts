/** Work that Ctrl-C ends, and a model for the time of a command: loaded with progress, closed whatever happens. */
import type { LoadOptions } from '../engine/api.ts'
import { Interrupted } from './exit.ts'
import type { Io } from './io.ts'
import type { CliEngine, Parts } from './open-engine.ts'
import { createProgress } from './progress.ts'

export interface Deps {
  io: Io
  parts: Parts
}

/**
 * @param work gets a signal that fires on Ctrl-C
 * @throws Interrupted when Ctrl-C ended it; otherwise what `work` threw
 */
export async function untilInterrupted<T>(
  io: Io,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const { signal } = controller
  const release = io.onInterrupt(() => controller.abort())
  try {
    return await work(signal)
  } catch (error) {
    throw signal.aborted ? new Interrupted('interrupted', { cause: error }) : error
  } finally {
    release()
  }
}

/**
 * Runs `use` with a loaded engine.
 * @param use gets a signal that fires on Ctrl-C
 * @throws Interrupted when Ctrl-C ended it; otherwise what loading or `use` threw
 */
export function withEngine<T>(
  { io, parts }: Deps,
  model: string | undefined,
  options: LoadOptions,
  use: (engine: CliEngine, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return untilInterrupted(io, async (signal) => {
    const progress = createProgress(io)
    try {
      const engine = await parts.openEngine(model, {
        // One person at a terminal: room for one sequence, unless more is asked for.
        maxSequences: 1,
        ...options,
        signal,
        onProgress: (step) => progress.report(step),
      })
      progress.stop()
      try {
        return await use(engine, signal)
      } finally {
        await engine.close()
      }
    } finally {
      progress.stop()
    }
  })
}
