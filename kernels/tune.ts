/** Sound tunings for adapters never seen. The tuner's cache will come before these. */
import type { Capabilities } from './gpu/capabilities.ts'
import { type Kernel, type Shape, type Tuning, tunings } from './kernel.ts'
import type { MatmulTuning } from './lib/matmul.ts'

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
 * Tiles of a product. On a CPU adapter an invocation sums whole rows and activations go round by shuffles; on a GPU the
 * columns are cut into runs, so that more invocations work at once. `SPLIT` must not depend on `batch`: it decides the
 * order of the sum.
 */
export function matmulTuning(batch: number, caps: Capabilities): MatmulTuning {
  const split = caps.software ? 1 : 4
  const shuffle = split === 1 && caps.subgroupMin >= 8 ? 1 : 0
  return batch === 1
    ? { LANES: 32, TILE_PAIRS: 1, TILE_ROWS: 1, SPLIT: split, SHUFFLE: shuffle }
    : { LANES: 32, TILE_PAIRS: 1, TILE_ROWS: 4, SPLIT: split, SHUFFLE: shuffle }
}
