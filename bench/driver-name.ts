/** The driver of a loaded engine, named as the kernel suite names it, so that runs of both compare. */
import type { EngineStats } from '../engine/index.ts'
import { driverOf } from '../kernels/gpu/adapter-choice.ts'

export function driverNamed({ name, vendor, kind }: EngineStats['adapter']): string {
  if (kind === 'gpu') return 'gpu'
  return driverOf({ vendor, architecture: '', device: '', description: name })
}
