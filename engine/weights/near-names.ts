/**
 * For "tensor X is missing": which names there are that look like it. Tensor names differ in the middle (a layer, a
 * prefix), so the longest common beginning and end find them without an edit distance over thousands of names.
 */

/** The three of `all` that share the longest beginning and end with `name`, best first. Linear in `all`. */
export function nearNames(name: string, all: Iterable<string>): string[] {
  const scored: { other: string; score: number }[] = []
  for (const other of all) {
    const most = Math.min(name.length, other.length)
    let head = 0
    while (head < most && name[head] === other[head]) head++
    let tail = 0
    while (tail < most - head && name.at(-1 - tail) === other.at(-1 - tail)) tail++
    if (head + tail > 0) scored.push({ other, score: head + tail })
  }
  scored.sort((a, b) => b.score - a.score)
  return scored.slice(0, 3).map(({ other }) => other)
}
