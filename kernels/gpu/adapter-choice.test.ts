/** The choice of an adapter over imagined machines: which one is taken, and that each lack is told apart. */
import { describe, expect, it } from 'vitest'
import { GpuError } from '../errors.ts'
import {
  chooseAdapter,
  type Driver,
  driverOf,
  type Machine,
  type Probes,
} from './adapter-choice.ts'

interface Adapter {
  driver: Driver
  name: string
}
const nvidia: Adapter = { driver: 'gpu', name: 'NVIDIA H100' }
const lavapipe: Adapter = { driver: 'lavapipe', name: 'llvmpipe (LLVM 15)' }
const swiftShader: Adapter = { driver: 'swiftshader', name: 'SwiftShader Device' }

/** A Linux machine whose own adapters are `own`, best first. */
function machine(
  own: Adapter[],
  facts: Partial<Machine> = {},
): Probes<Adapter> & { asked: number } {
  const probes = {
    asked: 0,
    machine: {
      platform: 'linux',
      arch: 'x64',
      hasVulkanLoader: true,
      lavapipeManifest: null,
      gpuNode: null,
      driverOverride: null,
      ...facts,
    },
    own: async (name = '') => ({
      found: own.find((adapter) => adapter.name.includes(name)) ?? null,
      offered: own.map((adapter) => adapter.name),
    }),
    swiftShader: async () => {
      probes.asked++
      return swiftShader
    },
  }
  return probes
}

const refusal = (probes: Probes<Adapter>, choice: string) =>
  chooseAdapter(choice, probes).then(
    () => 'no error',
    (error) => (error instanceof GpuError && error.kind === 'no-adapter' ? error.message : error),
  )

describe('auto', () => {
  it('takes a real GPU', async () => {
    const { found, reason } = await chooseAdapter('auto', machine([nvidia, lavapipe]))
    expect(found).toBe(nvidia)
    expect(reason).toBe('Dawn offers a GPU: NVIDIA H100')
  })

  it('takes lavapipe without fetching anything, and says what is wrong with a GPU that is there', async () => {
    const probes = machine([lavapipe], { gpuNode: '/dev/nvidia0' })
    const { found, reason } = await chooseAdapter('auto', probes)
    expect(found).toBe(lavapipe)
    expect(reason).toMatch(/a GPU is there \(\/dev\/nvidia0\).*install or update its Vulkan driver/)
    expect(probes.asked).toBe(0)
  })

  it.each([
    ['no loader', { hasVulkanLoader: false }, /no Vulkan loader/],
    ['nothing installed', {}, /lavapipe is not installed/],
    [
      'an old Mesa',
      { lavapipeManifest: '/usr/share/vulkan/icd.d/lvp_icd.x86_64.json' },
      /Mesa is too old \(22\.3/,
    ],
    [
      'drivers limited',
      { driverOverride: 'VK_ICD_FILENAMES=/x.json' },
      /VK_ICD_FILENAMES=\/x\.json.*unset/,
    ],
  ])('falls back to SwiftShader and names the cause: %s', async (_, facts, cause) => {
    const { found, reason } = await chooseAdapter('auto', machine([], facts))
    expect(found).toBe(swiftShader)
    expect(reason).toMatch(cause)
  })

  it('tells every cause when nothing is left', async () => {
    const probes = machine([], { hasVulkanLoader: false })
    probes.swiftShader = async () => {
      throw new GpuError('no-adapter', 'there is no npm')
    }
    const message = await refusal(probes, 'auto')
    expect(message).toMatch(
      /^No adapter: no GPU was found; there is no Vulkan loader.*there is no npm$/,
    )
  })
})

describe('a forced choice', () => {
  it('of a GPU is refused on a software adapter', async () => {
    expect(await refusal(machine([lavapipe]), 'gpu')).toMatch(
      /no GPU was found\. Dawn offers only llvmpipe.*"auto"/,
    )
  })

  it('of lavapipe passes over a GPU, and explains its absence', async () => {
    expect((await chooseAdapter('lavapipe', machine([nvidia, lavapipe]))).found.driver).toBe(
      'lavapipe',
    )
    expect(await refusal(machine([nvidia], { lavapipeManifest: '/lvp.json' }), 'lavapipe')).toMatch(
      /Mesa is too old/,
    )
    expect(await refusal(machine([nvidia], { platform: 'darwin' }), 'lavapipe')).toMatch(
      /for Linux/,
    )
  })

  it('of SwiftShader does not ask Dawn for others', async () => {
    const probes = machine([nvidia])
    expect((await chooseAdapter('swiftshader', probes)).found).toBe(swiftShader)
  })

  it('by name lists what there is', async () => {
    expect((await chooseAdapter('H100', machine([lavapipe, nvidia]))).found).toBe(nvidia)
    expect(await refusal(machine([nvidia, lavapipe]), 'Radeon')).toMatch(
      /"Radeon".*NVIDIA H100; llvmpipe/,
    )
  })
})

it('drivers are told apart by what Dawn reports', () => {
  const info = { vendor: '', architecture: '', device: '', description: '' }
  const is = (facts: object) => driverOf({ ...info, ...facts })
  expect(is({ vendor: 'nvidia', architecture: 'hopper', isFallbackAdapter: false })).toBe('gpu')
  expect(
    is({ vendor: 'mesa', description: 'llvmpipe: Mesa 25.0.7', isFallbackAdapter: true }),
  ).toBe('lavapipe')
  expect(is({ vendor: 'mesa', device: 'amd-radv', isFallbackAdapter: false })).toBe('gpu')
  expect(is({ vendor: 'google', architecture: 'swiftshader', isFallbackAdapter: true })).toBe(
    'swiftshader',
  )
  expect(is({ vendor: 'microsoft', description: 'Microsoft Basic Render Driver' })).toBe('software')
  expect(is({ device: 'null-backend' })).toBe('null')
})
