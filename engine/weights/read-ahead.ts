/** Reading ahead: the next jobs are under way while the result of one is used. */

/** Results in the order of `jobs`, of which at most `depth` are under way; rejects with the first failure, once all under way have settled. */
export async function* readAhead<T>(
  jobs: Iterable<() => Promise<T>>,
  depth: number,
): AsyncGenerator<T> {
  const under: Promise<T>[] = []
  try {
    for (const job of jobs) {
      const result = job()
      // It is awaited in its turn; until then its failure is nobody's.
      result.catch(() => undefined)
      under.push(result)
      if (under.length >= depth) yield await (under.shift() as Promise<T>)
    }
    while (under.length > 0) yield await (under.shift() as Promise<T>)
  } finally {
    await Promise.allSettled(under)
  }
}
