/**
 * Dawn's toggles that a user may switch, with ILLUMINATOR_DAWN_TOGGLES: what they save is safety that our own WGSL, which
 * is compiled from files of this package alone, does without. Off by default.
 */
import { GpuError } from '../errors.ts'

/** Name → what it leaves out (Dawn's `Toggles.cpp`). */
const TOGGLES = {
  disable_robustness: 'bounds that Tint puts around every load and store',
  disable_workgroup_init: 'zeros written into workgroup memory before each workgroup',
  disable_polyfills_on_integer_div_and_mod: 'checks for a divisor of zero',
  skip_validation: "WebGPU's own checks of what is created and encoded",
  use_vulkan_memory_model: "the older memory model of Vulkan's shaders",
  vulkan_enable_f16_on_nvidia: "Dawn's refusal of shader-f16 on NVIDIA's driver",
} as const

/** The toggles that the variable names, separated by commas. Throws GpuError naming one that is not known. */
export function togglesFrom(env: NodeJS.ProcessEnv): string[] {
  const names = (env.ILLUMINATOR_DAWN_TOGGLES ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  const unknown = names.find((name) => !Object.hasOwn(TOGGLES, name))
  if (unknown === undefined) return names
  throw new GpuError(
    'no-adapter',
    `ILLUMINATOR_DAWN_TOGGLES names "${unknown}". Expected some of ${Object.keys(TOGGLES).join(', ')}, separated by commas.`,
  )
}
