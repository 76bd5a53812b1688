/** When ids came → how fast: the same rule for every peer. */
import type { Written } from './peer-process.ts'

/** Tokens/s of the prompt: all of it until its first id came. */
export const prefillRate = (prompt: readonly number[], [written]: readonly Written[]): number =>
  (prompt.length * 1000) / (written?.times[0] ?? Number.NaN)

/**
 * Tokens/s of all sequences together, from when the last of them has its first id, so that no prompt is in it. NaN where
 * too few ids came for a rate.
 */
export function decodeRate(written: readonly Written[]): number {
  const start = Math.max(...written.map(({ times }) => times[0] ?? Number.NaN))
  const later = written.flatMap(({ times }) => times).filter((time) => time > start)
  return later.length === 0 ? Number.NaN : (later.length * 1000) / (Math.max(...later) - start)
}
