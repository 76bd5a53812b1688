/**
 * What this adapter can do at most, measured in this process: streaming reads and multiply-adds. Every figure of a kernel is
 * held against these; `refresh` measures again and keeps the best, because a busy machine makes a probe too low.
 */

import type { Pipelines } from '../kernels/gpu/pipeline.ts'
import type { Device } from '../kernels/index.ts'
import { type DispatchCost, probeDispatch } from './probes/dispatch.ts'
import { openFmaProbe } from './probes/fma.ts'
import type { Probe } from './probes/probe.ts'
import { openReadProbe } from './probes/read.ts'
import type { Stopwatch } from './stopwatch.ts'

export interface ProbeOptions {
  /** Bytes the read probe streams. Default: 128 MiB on software adapters, 512 MiB on GPUs; both exceed known caches. */
  bytes?: number
  /** Milliseconds of a timed submit. Default: as of those that are held against the probes. */
  atLeast?: number
  repeats?: number
}

export class Probes {
  readonly #read: Probe
  readonly #fma: Probe
  readonly #repeats: number
  /** GB/s of streaming reads. */
  read = 0
  /** GFLOP/s of f32 multiply-adds. */
  fma = 0
  /** Milliseconds of a dispatch that has nothing to do. */
  readonly dispatch: DispatchCost

  private constructor(read: Probe, fma: Probe, dispatch: DispatchCost, repeats: number) {
    this.#read = read
    this.#fma = fma
    this.dispatch = dispatch
    this.#repeats = repeats
  }

  /** Runs all probes; what they run on stays until the device is closed. Throws BenchError when one computes the wrong number, GpuError. */
  static async run(
    device: Device,
    pipelines: Pipelines,
    stopwatch: Stopwatch,
    options: ProbeOptions = {},
  ): Promise<Probes> {
    const { bytes = streamBytes(device), atLeast = submitLength(device), repeats = 4 } = options
    const dispatch = await probeDispatch(device, pipelines, stopwatch, repeats)
    const read = await openReadProbe(device, pipelines, stopwatch, { bytes, atLeast })
    let fma: Probe | null = null
    try {
      fma = await openFmaProbe(device, pipelines, stopwatch, atLeast)
      const probes = new Probes(read, fma, dispatch, repeats)
      await probes.refresh()
      return probes
    } catch (error) {
      read.close()
      fma?.close()
      throw error
    }
  }

  /** Measures again; keeps the better figures. */
  async refresh(): Promise<void> {
    this.read = Math.max(this.read, await this.#read.best(this.#repeats))
    this.fma = Math.max(this.fma, await this.#fma.best(this.#repeats))
  }

  /** Milliseconds that moving `bytes` and doing `flops` takes at least: the roofline. */
  floor(bytes: number, flops: number): number {
    return Math.max(bytes / this.read, flops / this.fma) / 1e6
  }

  /** Milliseconds that a dispatch of so many workgroups costs beside its work. */
  cost([x, y, z]: readonly [number, number, number]): number {
    return x * y * z > 1 ? this.dispatch.many : this.dispatch.one
  }

  /** The floor at this moment: the probe of the bound that is the higher one is timed once. Throws GpuError. */
  async floorNow(bytes: number, flops: number): Promise<number> {
    const isRead = bytes / this.read > flops / this.fma
    return (isRead ? bytes / (await this.#read.now()) : flops / (await this.#fma.now())) / 1e6
  }
}

/** Bytes that no cache of the adapter holds. */
export const streamBytes = (device: Device): number => (device.caps.software ? 128 : 512) * 2 ** 20

/**
 * Milliseconds that a timed submit should hold at least: on a CPU adapter so many that the host sleeps while it waits for the
 * end, and takes no core from it.
 */
export const submitLength = (device: Device): number => (device.caps.software ? 60 : 20)
