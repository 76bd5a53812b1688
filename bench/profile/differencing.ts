/**
 * What a kernel adds to a step where the adapter has no clock: the step as it is, and without that kernel's dispatches, in
 * turns. The numbers that come out of a step with a hole are wrong and nobody reads them.
 */
import { noExpectation, type Stopwatch } from '../stopwatch.ts'
import { nameOf, type Placed, segmentOf } from './placed.ts'

/** Microseconds of each name a round, by difference within the round: a slow spell falls on both. */
export async function differences(
  stopwatch: Stopwatch,
  placed: readonly Placed[],
  rounds: number,
): Promise<Map<string, number[]>> {
  const names = [...new Set(placed.map(nameOf))]
  const variants = new Map(
    names.map((name) => [name, placed.filter((one) => nameOf(one) !== name).map(segmentOf)]),
  )
  const whole = placed.map(segmentOf)
  const expected = new Map(['', ...names].map((name) => [name, noExpectation()]))
  const time = (name: string): Promise<number> =>
    stopwatch.timeSegments(variants.get(name) ?? whole, expected.get(name) ?? noExpectation())
  const found = new Map(names.map((name): [string, number[]] => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      const before = await time('')
      const without = await time(name)
      const after = await time('')
      found.get(name)?.push(((before + after) / 2 - without) * 1000)
    }
  }
  return found
}
