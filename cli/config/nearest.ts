/** The known name that a mistyped one was most likely meant to be. */

/** @returns null where nothing is near */
export function nearest(name: string, known: readonly string[]): string | null {
  const wanted = plain(name)
  let best: string | null = null
  // More than a third of the letters wrong is another word.
  let least = Math.floor(wanted.length / 3) + 1
  for (const candidate of known) {
    const edits = distance(wanted, plain(candidate))
    if (edits < least) [best, least] = [candidate, edits]
  }
  return best
}

/** `did you mean "port"?`, or where the list is. */
export function suggestion(name: string, known: readonly string[]): string {
  const near = nearest(name, known)
  return near === null ? `known are ${known.join(', ')}` : `did you mean ${near}?`
}

/** Spelling with other cases, dashes or underscores is no mistake in itself. */
const plain = (name: string): string => name.toLowerCase().replace(/[-_]/g, '')

/** Insertions, deletions, replacements and swaps of neighbours that make one word the other. */
function distance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let edits = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        edits = Math.min(edits, at(before, j - 2) + 1)
      }
      row.push(edits)
    }
    ;[before, last] = [last, row]
  }
  return at(last, b.length)
}

const at = (row: readonly number[], index: number): number => row[index] ?? Infinity
