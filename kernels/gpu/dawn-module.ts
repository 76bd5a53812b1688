/** Dawn's Node bindings, loaded once a copy, and their root objects, kept for life. */
import { GpuError } from '../errors.ts'

export interface DawnModule {
  create(options: string[]): GPU
  globals: object
}

/**
 * Imports Dawn and makes its WebGPU constants (`GPUBufferUsage`, …) global where they are not. Two copies have
 * classes of their own: compare an error's name, never `instanceof`.
 */
export async function loadDawn(load: () => Promise<DawnModule>): Promise<DawnModule> {
  const dawn = await load().catch((error: Error) => {
    throw new GpuError(
      'no-adapter',
      `Dawn's Node bindings cannot be loaded on ${process.platform} ${process.arch}: ${error.message}. They exist for Linux (glibc), macOS and Windows on x64 and arm64; run "npm ci" again if this is one of them.`,
      { cause: error },
    )
  })
  for (const [key, value] of Object.entries(Object.getOwnPropertyDescriptors(dawn.globals))) {
    if (!(key in globalThis)) Object.defineProperty(globalThis, key, value)
  }
  return dawn
}

/**
 * Dawn's root objects, by copy and flags. Never let go: Node crashes when one is collected while a callback of a device
 * of it is to come, and even a destroyed device has some.
 */
const roots = new Map<DawnModule, Map<string, GPU>>()

export function rootOf(dawn: DawnModule, flags: string[]): GPU {
  const ofDawn = roots.get(dawn) ?? new Map<string, GPU>()
  roots.set(dawn, ofDawn)
  const key = flags.join(' ')
  const root = ofDawn.get(key) ?? dawn.create(flags)
  ofDawn.set(key, root)
  return root
}
