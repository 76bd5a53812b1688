/**
 * Which adapter to take, as plain logic over injected probes: a real GPU, else lavapipe, else SwiftShader. A missing
 * adapter, a driver that Dawn refuses and a real GPU are told apart in every reason and every error.
 */
import { GpuError } from '../errors.ts'

/** `auto`, `gpu`, `lavapipe`, `swiftshader`, or part of an adapter's name as `illuminator doctor` prints it. */
export type AdapterChoice = 'auto' | 'gpu' | 'lavapipe' | 'swiftshader' | (string & {})

/** `software` is a CPU adapter that is neither of the two we know (Windows' WARP, for one). */
export type Driver = 'gpu' | 'lavapipe' | 'swiftshader' | 'software' | 'null'

/** What a probe found: an adapter, or null and the names of those that did not match. */
export interface Probe<T> {
  found: T | null
  offered: readonly string[]
}

/** Facts about the machine that explain a missing adapter. Paths are null where nothing was found. */
export interface Machine {
  platform: string
  arch: string
  /** Whether `libvulkan.so.1` can be opened; always true outside Linux, where Dawn needs none. */
  hasVulkanLoader: boolean
  /** The driver manifest of an installed lavapipe. */
  lavapipeManifest: string | null
  /** A device node of a real GPU. */
  gpuNode: string | null
  /** A variable such as `VK_ICD_FILENAMES=…` that limits the drivers the loader sees. */
  driverOverride: string | null
}

export interface Probes<T> {
  machine: Machine
  /** The best of Dawn's own adapters, or the first whose name contains `name`. */
  own(name?: string): Promise<Probe<T>>
  /** SwiftShader from our cache, fetched when missing; throws `GpuError('no-adapter')` where it cannot be had. */
  swiftShader(): Promise<T>
}

type Described = { driver: Driver; name: string }
type Chosen<T> = { found: T; reason: string }

/** What lavapipe's adapters carry in their names. Dawn compares case by case. */
export const LAVAPIPE_NAME = 'llvmpipe'

const INSTALL_LAVAPIPE =
  'Debian 13, Ubuntu 24.04: apt-get install mesa-vulkan-drivers; ' +
  'Debian 12: add the suite bookworm-backports, then apt-get install -t bookworm-backports mesa-vulkan-drivers'

/** Tells real GPUs and the software drivers apart by what Dawn's Node bindings report. */
export function driverOf(
  info: Pick<GPUAdapterInfo, 'vendor' | 'architecture' | 'device' | 'description'> & {
    isFallbackAdapter?: boolean
  },
): Driver {
  const text = `${info.architecture} ${info.device} ${info.description}`.toLowerCase()
  if (info.device === 'null-backend') return 'null'
  if (text.includes('swiftshader')) return 'swiftshader'
  if (text.includes('llvmpipe') || text.includes('lavapipe')) return 'lavapipe'
  return info.isFallbackAdapter || text.includes('basic render') ? 'software' : 'gpu'
}

/** What keeps a real GPU from being used, in half a sentence. */
function explainNoGpu(machine: Machine): string {
  const limited = machine.driverOverride ? ` (${machine.driverOverride} limits the drivers)` : ''
  return machine.gpuNode
    ? `a GPU is there (${machine.gpuNode}) but its driver gave Dawn no adapter${limited}: install or update its Vulkan driver`
    : `no GPU was found${limited}`
}

/** What keeps lavapipe from being used, in half a sentence. */
export function explainNoLavapipe(machine: Machine): string {
  if (machine.platform !== 'linux') return `lavapipe is for Linux, this is ${machine.platform}`
  if (machine.driverOverride && machine.hasVulkanLoader) {
    return `${machine.driverOverride} offers no lavapipe: unset it to see the installed drivers`
  }
  if (!machine.hasVulkanLoader) {
    return `there is no Vulkan loader (libvulkan.so.1), so no lavapipe either. ${INSTALL_LAVAPIPE}`
  }
  return machine.lavapipeManifest
    ? `Dawn refuses the installed lavapipe (${machine.lavapipeManifest}): Mesa is too old (22.3 is refused, 25.0 works). ${INSTALL_LAVAPIPE}`
    : `lavapipe is not installed. ${INSTALL_LAVAPIPE}`
}

/**
 * Takes the adapter that `choice` asks for and says why.
 * @throws GpuError('no-adapter') naming what was found, what was expected and what to do
 */
export async function chooseAdapter<T extends Described>(
  choice: AdapterChoice,
  probes: Probes<T>,
): Promise<Chosen<T>> {
  if (choice === 'auto') return chooseBest(probes)
  if (choice === 'gpu') return chooseGpu(probes)
  if (choice === 'lavapipe') return chooseLavapipe(probes)
  if (choice === 'swiftshader') {
    return { found: await probes.swiftShader(), reason: 'SwiftShader was asked for' }
  }
  return chooseByName(choice, probes)
}

async function chooseBest<T extends Described>(probes: Probes<T>): Promise<Chosen<T>> {
  const { found } = await probes.own()
  const noGpu = explainNoGpu(probes.machine)
  if (found?.driver === 'gpu') return { found, reason: `Dawn offers a GPU: ${found.name}` }
  if (found) return { found, reason: `${noGpu}; the best installed driver is ${found.name}` }
  const why = `${noGpu}; ${explainNoLavapipe(probes.machine)}`
  try {
    return { found: await probes.swiftShader(), reason: `${why}; so SwiftShader, which is slower` }
  } catch (error) {
    if (!(error instanceof GpuError)) throw error
    throw new GpuError('no-adapter', `No adapter: ${why}; ${error.message}`, { cause: error })
  }
}

async function chooseGpu<T extends Described>(probes: Probes<T>): Promise<Chosen<T>> {
  const { found } = await probes.own()
  if (found?.driver === 'gpu') return { found, reason: `a GPU was asked for: ${found.name}` }
  const instead = found ? ` Dawn offers only ${found.name}.` : ''
  throw new GpuError(
    'no-adapter',
    `A GPU was asked for, but ${explainNoGpu(probes.machine)}.${instead} Use "auto" to run on a software adapter.`,
  )
}

async function chooseLavapipe<T extends Described>(probes: Probes<T>): Promise<Chosen<T>> {
  const { found } = await probes.own(LAVAPIPE_NAME)
  if (found) return { found, reason: `lavapipe was asked for: ${found.name}` }
  throw new GpuError(
    'no-adapter',
    `lavapipe was asked for, but ${explainNoLavapipe(probes.machine)}`,
  )
}

async function chooseByName<T extends Described>(
  name: string,
  probes: Probes<T>,
): Promise<Chosen<T>> {
  const probe = await probes.own(name)
  if (probe.found) return { found: probe.found, reason: `"${name}" was asked for` }
  const offered = probe.offered.length > 0 ? probe.offered.join('; ') : 'none'
  throw new GpuError(
    'no-adapter',
    `No adapter has "${name}" in its name. Dawn offers: ${offered}. Expected auto, gpu, lavapipe, swiftshader or part of such a name (upper and lower case matter).`,
  )
}
