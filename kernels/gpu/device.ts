/**
 * One open GPU: the device with the adapter's own limits, error scopes around every creation, and one place where an
 * uncaptured error or a lost device is noticed. Dawn's Node bindings do not throw: an invalid pipeline "runs" and leaves
 * zeros, so nothing is created outside `scoped`.
 */
import { GpuError } from '../errors.ts'
import type { Capabilities } from './capabilities.ts'
import { type AdapterChoice, type OpenedAdapter, openAdapter, openNullAdapter } from './dawn.ts'
import { Memory } from './memory.ts'
import type { Segment } from './plan.ts'

export interface DeviceOptions {
  adapter?: AdapterChoice
  /** Dawn toggles, for instance `disable_robustness`. */
  toggles?: readonly string[]
  /** Lower a limit on purpose: tests of splitting. */
  maxBinding?: number
  /** Features to do without, for tests of the plain variants. */
  without?: readonly ('shader-f16' | 'subgroups')[]
  /** Ask for timestamps, unrounded, where the adapter offers them: profiles. */
  timestamps?: boolean
  onProgress?: (message: string) => void
}

/** How often the GPU was asked for something: a decode step must add no buffer, bind group or pipeline. */
export interface Counters {
  buffers: number
  bindGroups: number
  pipelines: number
  passes: number
  submits: number
  dispatches: number
  writes: number
}

const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
] as const

export class Device {
  readonly gpu: GPUDevice
  readonly caps: Capabilities
  readonly memory: Memory
  readonly counters: Counters = {
    buffers: 0,
    bindGroups: 0,
    pipelines: 0,
    passes: 0,
    submits: 0,
    dispatches: 0,
    writes: 0,
  }
  readonly name: string
  readonly vendor: string
  readonly driver: OpenedAdapter['driver']
  readonly reason: string
  /** Hears of every replay: a profile looks at the steps of an engine. */
  onReplay: ((segments: readonly Segment[]) => void) | null = null
  #failure: GpuError | null = null
  #watchers = new Set<(error: GpuError) => void>()
  #closing = false

  private constructor(opened: OpenedAdapter, gpu: GPUDevice, caps: Capabilities) {
    this.gpu = gpu
    this.caps = caps
    this.name = opened.name
    this.vendor = opened.vendor
    this.driver = opened.driver
    this.reason = opened.reason
    this.memory = new Memory(this)
    gpu.onuncapturederror = (event) => this.fail(toGpuError(event.error, 'outside any scope'))
    void gpu.lost.then((info) => {
      if (!this.#closing) {
        this.fail(new GpuError('lost', `The GPU device was lost (${info.reason}): ${info.message}`))
      }
    })
  }

  /** Opens the adapter chosen by `options.adapter`; throws GpuError('no-adapter'). */
  static async open(options: DeviceOptions = {}): Promise<Device> {
    const opened = await openAdapter(options.adapter, {
      ...(options.toggles ? { toggles: options.toggles } : {}),
      // Rounded to a tenth of a millisecond they would say nothing of most dispatches.
      ...(options.timestamps ? { withoutToggles: ['timestamp_quantization'] } : {}),
      ...(options.onProgress ? { onProgress: options.onProgress } : {}),
    })
    return Device.#create(opened, options)
  }

  /** Another device of the same adapter, for what needs none of the first's state. Throws GpuError. */
  static async openBeside({ driver }: Device): Promise<Device> {
    return Device.#create(await openAdapter(driver, {}), {})
  }

  /** A device without a driver: WGSL and layouts are validated, nothing is computed. */
  static async openNull(options: DeviceOptions = {}): Promise<Device> {
    return Device.#create(await openNullAdapter(), options)
  }

  static async #create(opened: OpenedAdapter, options: DeviceOptions): Promise<Device> {
    const { adapter } = opened
    const without = new Set<string>(options.without ?? [])
    const features = (['shader-f16', 'subgroups'] as const).filter(
      (feature) => adapter.features.has(feature) && !without.has(feature),
    )
    const timestamps = options.timestamps && adapter.features.has('timestamp-query')
    const limits: Record<string, number> = {}
    for (const name of LIMITS) limits[name] = adapter.limits[name]
    const maxBinding = options.maxBinding ?? adapter.limits.maxStorageBufferBindingSize
    const gpu = await adapter.requestDevice({
      label: 'illuminator',
      requiredFeatures: timestamps ? [...features, 'timestamp-query'] : features,
      requiredLimits: limits,
    })
    return new Device(opened, gpu, {
      f16: features.includes('shader-f16'),
      subgroups: features.includes('subgroups'),
      subgroupMin: features.includes('subgroups') ? (adapter.info.subgroupMinSize ?? 4) : 0,
      maxInvocations: adapter.limits.maxComputeInvocationsPerWorkgroup,
      maxWorkgroupBytes: adapter.limits.maxComputeWorkgroupStorageSize,
      maxBinding: Math.min(maxBinding, adapter.limits.maxBufferSize),
      maxWorkgroups: adapter.limits.maxComputeWorkgroupsPerDimension,
      software: opened.driver === 'lavapipe' || opened.driver === 'swiftshader',
    })
  }

  /** Runs `create` under validation and out-of-memory scopes; what they catch is thrown, with `what` named. */
  async scoped<T>(what: string, create: () => T | Promise<T>): Promise<T> {
    this.check()
    this.gpu.pushErrorScope('out-of-memory')
    this.gpu.pushErrorScope('validation')
    let result: T | undefined
    let thrown: unknown
    try {
      // Only the synchronous part lies in the scopes: another scope may open before a promise settles.
      let pending: T | Promise<T>
      let validation: Promise<GPUError | null>
      let memory: Promise<GPUError | null>
      try {
        pending = create()
      } finally {
        validation = this.gpu.popErrorScope()
        memory = this.gpu.popErrorScope()
      }
      const error = (await validation) ?? (await memory)
      if (error) thrown = toGpuError(error, what)
      result = await pending
    } catch (error) {
      thrown ??= error
    }
    if (thrown !== undefined) {
      throw thrown instanceof GpuError ? thrown : toGpuError(thrown, what)
    }
    return result as T
  }

  get failure(): GpuError | null {
    return this.#failure
  }

  /** Throws when an earlier error or loss made this device unusable. */
  check(): void {
    if (this.#failure) throw this.#failure
  }

  /** Calls `watcher` once when the device fails; returns how to stop watching. */
  onFailure(watcher: (error: GpuError) => void): () => void {
    if (this.#failure) watcher(this.#failure)
    else this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  /** Makes the device unusable for what happened to it, and says so to who watches. */
  fail(error: GpuError): void {
    if (this.#failure || this.#closing) return
    this.#failure = error
    for (const watcher of this.#watchers) watcher(error)
    this.#watchers.clear()
  }

  /** Frees every buffer and the device; the process can exit afterwards. */
  close(): void {
    if (this.#closing) return
    this.#closing = true
    this.memory.freeAll()
    this.gpu.destroy()
  }

  get open(): boolean {
    return !this.#closing
  }
}

function toGpuError(error: unknown, what: string): GpuError {
  const message =
    error instanceof Error ? error.message : String((error as GPUError).message ?? error)
  const kind = error?.constructor?.name === 'GPUOutOfMemoryError' ? 'out-of-memory' : 'validation'
  return new GpuError(kind, `${what}: ${message}`, { cause: error })
}
