/** A model for the time of a command: loaded with progress, cancelled by Ctrl-C, closed whatever happens. */
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
 * Runs `use` with a loaded engine.
 * @param use gets a signal that fires on Ctrl-C
 * @throws Interrupted when Ctrl-C ended it; otherwise what loading or `use` threw
 */
export async function withEngine<T>(
  { io, parts }: Deps,
  model: string | undefined,
  options: LoadOptions,
  use: (engine: CliEngine, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const { signal } = controller
  const release = io.onInterrupt(() => controller.abort())
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
  } catch (error) {
    throw signal.aborted ? new Interrupted('interrupted', { cause: error }) : error
  } finally {
    progress.stop()
    release()
  }
}
