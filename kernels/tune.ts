/** Sound tunings for adapters never seen. The tuner's cache will come before these. */
import type { Capabilities } from './gpu/capabilities.ts'
import { type Kernel, type Shape, type Tuning, tunings } from './kernel.ts'
import { type MatmulTuning, ROW_TILE } from './lib/matmul.ts'
import {
  ATTENTION_TILE,
  type AttentionShape,
  type AttentionTuning,
  attention,
} from './ops/attention.ts'

/** The first valid tuning: the default of the declaration. Throws when the device can run none. */
export function defaultTuning<S extends Shape, T extends Tuning>(
  kernel: Kernel<S, T>,
  shape: S,
  caps: Capabilities,
): T {
  const [first] = tunings(kernel, shape, caps)
  if (!first) throw new Error(`${kernel.name} has no tuning that this device can run.`)
  return first
}

/**
 * Tiles of a product over one row, or over several. On a CPU adapter an invocation sums whole rows and activations go
 * round by shuffles; on a GPU the columns are cut into runs, so that more invocations work at once. `SPLIT` must not
 * depend on `batch`: it decides the order of the sum.
 */
export function matmulTuning(batch: number, caps: Capabilities): MatmulTuning {
  const split = caps.software ? 1 : 4
  const shuffle = split === 1 && caps.subgroupMin >= 8 ? 1 : 0
  const shared = { LANES: 32, SPLIT: split, SHUFFLE: shuffle }
  if (batch === 1) return { ...shared, TILE_PAIRS: 1, TILE_ROWS: 1 }
  return { ...shared, TILE_PAIRS: caps.software ? 2 : 1, TILE_ROWS: ROW_TILE }
}

/**
 * How attention shares its work. `SPLIT` and `SHUFFLE` decide the order of the sum, so they must not depend on how many
 * rows a tile has: the first pair that tiles of one row and of several can both run.
 */
export function attentionTuning(shape: AttentionShape, caps: Capabilities): AttentionTuning {
  const split = caps.software ? 1 : 8
  const shuffle = caps.subgroupMin >= 8 ? 1 : 0
  const of = (tileRows: number): AttentionTuning[] =>
    tunings(attention, { ...shape, tileRows }, caps)
  const same = (a: AttentionTuning, b: AttentionTuning): boolean =>
    a.SPLIT === b.SPLIT && a.SHUFFLE === b.SHUFFLE
  const both = of(1).filter((one) => of(ATTENTION_TILE).some((other) => same(one, other)))
  const found =
    both.find((one) => one.SPLIT === split && one.SHUFFLE === shuffle) ??
    both.find((one) => one.SPLIT === split) ??
    both[0]
  const tuning = found && of(shape.tileRows).find((one) => same(one, found))
  if (!tuning) throw new Error('attention has no tuning that this device can run.')
  return tuning
}
