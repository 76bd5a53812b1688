/** The kernels of a checkout: ours, or those of a commit or another folder, with what they need to be run and checked. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Device, kernels } from '../../kernels/index.ts'
import type { Kernel, Shape, Tuning } from '../../kernels/kernel.ts'
import { compare, prepare } from '../../kernels/oracle.ts'
import { BenchError } from '../failure.ts'
import { engineTuning } from '../suites/kernels.ts'

export interface KernelVersion {
  readonly title: string
  readonly kernels: Readonly<Record<string, Kernel>>
  readonly prepare: typeof prepare
  readonly compare: typeof compare
  /** The tuning that the engine of that version takes. */
  engineTuning(kernel: Kernel, shape: Shape, device: Device): Tuning | Promise<Tuning>
}

export const OURS: KernelVersion = {
  title: 'here',
  kernels: kernels as unknown as KernelVersion['kernels'],
  prepare,
  compare,
  engineTuning,
}

/** Loads JavaScript of a checkout from `folder`. Throws BenchError where it has not what the gate needs. */
export async function loadVersion(title: string, folder: string): Promise<KernelVersion> {
  const load = async (path: string, name: string): Promise<unknown> => {
    const file = join(folder, path)
    const found: unknown = existsSync(file)
      ? ((await import(pathToFileURL(file).href)) as Record<string, unknown>)[name]
      : undefined
    if (found !== undefined) return found
    throw new BenchError(`${title} has no ${name} in ${path}: it is too old to be compared with.`)
  }
  return {
    title,
    kernels: (await load('kernels/index.js', 'kernels')) as KernelVersion['kernels'],
    prepare: (await load('kernels/oracle.js', 'prepare')) as KernelVersion['prepare'],
    compare: (await load('kernels/oracle.js', 'compare')) as KernelVersion['compare'],
    engineTuning: (await load(
      'bench/suites/kernels.js',
      'engineTuning',
    )) as KernelVersion['engineTuning'],
  }
}
