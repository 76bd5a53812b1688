/** Several pieces of work at once, but not all. */

/**
 * Runs `work` over the items, at most `width` at once and in their order. The first failure stops the others and is
 * thrown once they have ended.
 */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  caller: AbortSignal | undefined,
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController()
  const signal = caller ? AbortSignal.any([caller, failed.signal]) : failed.signal
  const errors: unknown[] = []
  const queue = items.values()
  const lane = async () => {
    for (const item of queue) {
      if (errors.length > 0) return
      try {
        await work(item, signal)
      } catch (error) {
        errors.push(error)
        failed.abort(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane))
  if (errors.length > 0) throw errors[0]
}
