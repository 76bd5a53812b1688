/**
 * Prompt lookup (Saxena 2023): drafts what followed the last few tokens when they stood earlier in the same sequence.
 * Costs no model; pays where answers repeat their prompt (code edits, summaries with quotes).
 */

const LONGEST = 4
const SHORTEST = 2

/** At most `count` ids, possibly none. */
export function lookUp(tokens: readonly number[], count: number): number[] {
  for (let length = Math.min(LONGEST, tokens.length - 1); length >= SHORTEST; length--) {
    const end = tokens.length - length
    for (let start = end - 1; start >= 0; start--) {
      let same = 0
      while (same < length && tokens[start + same] === tokens[end + same]) same++
      if (same === length) return tokens.slice(start + length, start + length + count)
    }
  }
  return []
}
