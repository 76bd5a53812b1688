/**
 * Which dimensions of a head turn together. Kernels turn pairs (row 2p, row 2p + 1) of the fused matrix and know no other
 * way: what families do otherwise (neighbours, a part of the head) is an order of rows, the same for queries and keys, so
 * that their products stay what they are.
 */
import type { DecoderConfig } from '../models/config.ts'

/** Dimension of side 0 or 1 of a head's pair `i`. Pairs that do not turn come after those that do. */
export function rowOrder({
  headDim,
  rotaryDimensions,
  rotaryPairs,
}: Pick<DecoderConfig, 'headDim' | 'rotaryDimensions' | 'rotaryPairs'>): (
  pair: number,
  side: number,
) => number {
  const turned = rotaryDimensions / 2
  const rest = (headDim - rotaryDimensions) / 2
  return (pair, side) => {
    if (pair >= turned) return rotaryDimensions + (pair - turned) + side * rest
    return rotaryPairs === 'halves' ? pair + side * turned : 2 * pair + side
  }
}
