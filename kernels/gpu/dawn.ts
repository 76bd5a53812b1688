/** Opens Dawn's adapters. The choice itself is in `adapter-choice.ts`; here are the probes of the real machine. */
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { pathToFileURL } from 'node:url'
import { GpuError } from '../errors.ts'
import {
  type AdapterChoice,
  chooseAdapter,
  type Driver,
  driverOf,
  explainNoLavapipe,
  LAVAPIPE_NAME,
  type Probe,
  type Probes,
} from './adapter-choice.ts'
import { type DawnModule, loadDawn, rootOf } from './dawn-module.ts'
import { setLavapipeThreads } from './lavapipe-threads.ts'
import { inspectMachine } from './machine.ts'
import {
  ensureSwiftShader,
  placeDawn,
  swiftShaderFolder,
  swiftShaderUnsupported,
} from './software-driver.ts'
import { togglesFrom } from './toggles.ts'

export type { AdapterChoice, Driver } from './adapter-choice.ts'

export interface OpenedAdapter {
  adapter: GPUAdapter
  driver: Driver
  name: string
  vendor: string
  /** Why this one, in a sentence. */
  reason: string
}

export interface OpenOptions {
  /** Names of Dawn toggles to enable, for instance `skip_validation`. */
  toggles?: readonly string[]
  /** Names of Dawn toggles to disable. */
  withoutToggles?: readonly string[]
  /** Hears of slow work: fetching SwiftShader. */
  onProgress?: (message: string) => void
}

/** One line of `illuminator doctor`. */
export interface AdapterReport {
  driver: Driver
  name: string
  vendor: string
  features: readonly string[]
  limits: Readonly<Record<string, number>>
  chosen: boolean
  reason: string
  /** Why it cannot be used, where it cannot. */
  error?: string
}

type Found = Omit<OpenedAdapter, 'reason'>

/** The choice that `ILLUMINATOR_ADAPTER` makes, else `auto`. */
function defaultChoice(env: NodeJS.ProcessEnv = process.env): AdapterChoice {
  return env.ILLUMINATOR_ADAPTER || 'auto'
}

/**
 * Opens the adapter that `choice` asks for (default: `ILLUMINATOR_ADAPTER`, else `auto`: a real GPU, else lavapipe,
 * else SwiftShader, which is fetched on first use).
 * @throws GpuError('no-adapter') that tells a missing adapter, a driver that Dawn refuses and an unknown name apart
 */
export async function openAdapter(
  choice: AdapterChoice = defaultChoice(),
  options: OpenOptions = {},
): Promise<OpenedAdapter> {
  const { found, reason } = await chooseAdapter(choice, probesOf(options))
  return { ...found, reason }
}

/** Dawn's null backend: validates WGSL, layouts and limits without any driver, and computes nothing. */
export async function openNullAdapter(): Promise<OpenedAdapter> {
  const probe = await request(await loadDawn(() => import('webgpu')), ['backend=null'])
  if (probe.found) return { ...probe.found, reason: 'the null backend was asked for' }
  throw new GpuError('no-adapter', "Dawn's null backend gave no adapter: this build lacks it")
}

/**
 * Every adapter this machine offers or lacks, for `doctor`; fetches nothing. `chosen` marks what `openAdapter` would
 * take; where none is marked, `openAdapter` says why.
 */
export async function listAdapters(
  choice: AdapterChoice = defaultChoice(),
): Promise<AdapterReport[]> {
  const probes = probesOf({})
  const reports: AdapterReport[] = []
  // No adapter has this name, so Dawn answers with the names of those it has.
  const listed = await probes.own('(list)')
  for (const name of listed.found ? [] : new Set(listed.offered)) {
    const { found } = await probes.own(name)
    if (found) reports.push(describe(found, "offered by this machine's own drivers"))
  }
  if (!reports.some(({ driver }) => driver === 'lavapipe')) {
    reports.push(absent('lavapipe', LAVAPIPE_NAME, explainNoLavapipe(probes.machine)))
  }
  const swiftShader = await swiftShaderReport(probes)
  if (!reports.some(({ name }) => name === swiftShader.name)) reports.push(swiftShader)
  return markChosen(choice, probes, reports, swiftShader)
}

async function swiftShaderReport(probes: Probes<Found>): Promise<AdapterReport> {
  const unsupported = swiftShaderUnsupported()
  if (unsupported) return absent('swiftshader', 'SwiftShader', unsupported)
  if (!existsSync(swiftShaderFolder())) {
    return absent(
      'swiftshader',
      'SwiftShader',
      'not fetched yet: its first use does that, with npm',
    )
  }
  return describe(await probes.swiftShader(), `fetched, in ${swiftShaderFolder()}`)
}

async function markChosen(
  choice: AdapterChoice,
  probes: Probes<Found>,
  reports: AdapterReport[],
  swiftShader: AdapterReport,
): Promise<AdapterReport[]> {
  try {
    const { found, reason } = await chooseAdapter<{ driver: Driver; name: string }>(choice, {
      machine: probes.machine,
      own: (name) => probes.own(name),
      swiftShader: async () => {
        const unsupported = swiftShaderUnsupported()
        if (unsupported) throw new GpuError('no-adapter', unsupported)
        return swiftShader
      },
    })
    return reports.map((report) =>
      report.driver === found.driver && report.name === found.name
        ? { ...report, chosen: true, reason }
        : report,
    )
  } catch (error) {
    if (error instanceof GpuError) return reports
    throw error
  }
}

function describe(found: Found, reason: string): AdapterReport {
  const { driver, name, vendor, adapter } = found
  const limits: Record<string, number> = {}
  for (const key of Object.keys(
    Object.getOwnPropertyDescriptors(Object.getPrototypeOf(adapter.limits)),
  )) {
    const value: unknown = adapter.limits[key as keyof GPUSupportedLimits]
    if (typeof value === 'number') limits[key] = value
  }
  return {
    driver,
    name,
    vendor,
    features: [...adapter.features].sort(),
    limits,
    chosen: false,
    reason,
  }
}

function absent(driver: Driver, name: string, error: string): AdapterReport {
  return { driver, name, vendor: '', features: [], limits: {}, chosen: false, reason: '', error }
}

function probesOf({ onProgress, ...options }: OpenOptions): Probes<Found> {
  // What drivers read; in a worker thread it reaches them only where that shares the process's environment.
  if (process.platform === 'linux') {
    process.env.XDG_RUNTIME_DIR ||= tmpdir() // some complain on stderr without it
    setLavapipeThreads(process.env)
  }
  const flags = flagsOf(options)
  const machine = inspectMachine()
  return {
    machine,
    async own(name) {
      // Asking Dawn without a loader would only print a warning.
      if (!machine.hasVulkanLoader) return { found: null, offered: [] }
      return request(
        await loadDawn(() => import('webgpu')),
        name ? [...flags, `adapter=${name}`] : flags,
      )
    },
    async swiftShader() {
      const entry = await placeDawn(await ensureSwiftShader(onProgress))
      const probe = await request(await loadDawn(() => import(pathToFileURL(entry).href)), flags)
      if (probe.found?.driver === 'swiftshader') return probe.found
      throw new GpuError(
        'no-adapter',
        `Dawn did not open SwiftShader from ${entry}; it gave ${probe.found?.name ?? 'no adapter'}. Remove the folder and try again.`,
      )
    },
  }
}

function flagsOf({ toggles = [], withoutToggles = [] }: OpenOptions): string[] {
  const flag = (verb: string, names: readonly string[]): string[] =>
    names.length > 0 ? [`${verb}-dawn-features=${names.join(',')}`] : []
  const enabled = [...toggles, ...togglesFrom(process.env)]
  return [...flag('enable', enabled), ...flag('disable', [...WITHOUT, ...withoutToggles])]
}

/** What Memory does itself, where it is needed. */
const WITHOUT = ['lazy_clear_resource_on_first_use']

async function request(dawn: DawnModule, flags: string[]): Promise<Probe<Found>> {
  try {
    const adapter = await rootOf(dawn, flags).requestAdapter({
      powerPreference: 'high-performance',
    })
    if (adapter === null) return { found: null, offered: [] }
    const { info } = adapter
    const name = info.description || info.device || info.vendor
    return {
      found: { adapter, driver: driverOf(info), name, vendor: info.vendor },
      offered: [name],
    }
  } catch (error) {
    // With `adapter=` and no match Dawn rejects, and lists what it has, one name a line.
    const said = error instanceof Error ? error.message : String(error)
    if (!said.includes('Available adapters:')) throw error
    return {
      found: null,
      offered: [...said.matchAll(/name: '(.*)'$/gm)].map(([, name = '']) => name),
    }
  }
}
