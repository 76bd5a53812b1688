/** What must hold of every timed generation: its ids are the expected ones, else its time is worth nothing. */
import { BenchError } from './failure.ts'

/** Throws BenchError naming the first id that differs. `what` begins a sentence: "After 16 prompt tokens". */
export function checkIds(
  what: string,
  found: readonly number[],
  expected: readonly number[],
): void {
  const at = expected.findIndex((id, i) => found[i] !== id)
  if (at < 0 && found.length === expected.length) return
  throw new BenchError(
    `${what} the greedy ids differ between runs: at ${at < 0 ? expected.length : at} of ${expected.length} ` +
      `came ${found[at < 0 ? expected.length : at]}, ${expected[at]} was expected (${found.length} ids came): no figure.`,
  )
}
