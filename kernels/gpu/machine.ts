/** The facts of this machine that explain which adapters Dawn finds and why some are missing. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Machine } from './adapter-choice.ts'

const MANIFEST_FOLDERS = [
  '/usr/share/vulkan/icd.d',
  '/usr/local/share/vulkan/icd.d',
  '/etc/vulkan/icd.d',
]

/** Looks at the operating system, the Vulkan loader, driver manifests and device nodes; opens no adapter. */
export function inspectMachine(): Machine {
  const { platform, arch, env } = process
  const linux = platform === 'linux'
  const override = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'].find((variable) => env[variable])
  return {
    platform,
    arch,
    hasVulkanLoader: !linux || canOpenVulkanLoader(),
    lavapipeManifest: linux ? findFile(MANIFEST_FOLDERS, /^lvp_icd.*\.json$/) : null,
    gpuNode: linux ? findFile(['/dev', '/dev/dri'], /^(nvidia0|kfd|dxg|renderD\d+)$/) : null,
    driverOverride: override ? `${override}=${env[override]}` : null,
  }
}

/** Asks the dynamic linker itself. Node cannot use the library, but its complaint tells whether it could be opened. */
function canOpenVulkanLoader(): boolean {
  try {
    process.dlopen({ exports: {} }, 'libvulkan.so.1')
    return true
  } catch (error) {
    return error instanceof Error && error.message.includes('did not self-register')
  }
}

function findFile(folders: readonly string[], pattern: RegExp): string | null {
  for (const folder of folders) {
    const name = existsSync(folder) ? readdirSync(folder).find((file) => pattern.test(file)) : null
    if (name) return join(folder, name)
  }
  return null
}
