/** Sound tunings for adapters never seen. What the tuner kept for this one comes before these: see tuned.ts. */
import type { Capabilities } from './gpu/capabilities.ts'
import { type Kernel, type Shape, type Tuning, tunings } from './kernel.ts'

/** What the declaration says, or else the first valid tuning. Throws when the device can run none. */
export function defaultTuning<S extends Shape, T extends Tuning>(
  kernel: Kernel<S, T>,
  shape: S,
  caps: Capabilities,
): T {
  const sound = kernel.sound?.(shape, caps) ?? tunings(kernel, shape, caps)[0]
  if (!sound) throw new Error(`${kernel.name} has no tuning that this device can run.`)
  return sound
}
