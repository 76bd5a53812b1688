/**
 * What this adapter can do at most, measured in this process: streaming reads and multiply-adds. Every figure of a kernel is
 * held against these; `refresh` measures again and keeps the best, because a busy machine makes a probe too low.
 */

import type { Pipelines } from '../kernels/gpu/pipeline.ts'
import type { Device } from '../kernels/index.ts'
import { probeFma } from './probes/fma.ts'
import { probeRead } from './probes/read.ts'
import type { Stopwatch } from './stopwatch.ts'

export interface ProbeOptions {
  /** Bytes the read probe streams. Default: 128 MiB on software adapters, 512 MiB on GPUs; both exceed known caches. */
  bytes?: number
  /** Milliseconds of a timed FMA dispatch. Default 20. */
  atLeast?: number
  repeats?: number
}

export class Probes {
  readonly #measure: () => Promise<{ read: number; fma: number }>
  /** GB/s of streaming reads. */
  read = 0
  /** GFLOP/s of f32 multiply-adds. */
  fma = 0

  private constructor(measure: () => Promise<{ read: number; fma: number }>) {
    this.#measure = measure
  }

  /** Runs both probes. Throws BenchError when one computes the wrong number, GpuError. */
  static async run(
    device: Device,
    pipelines: Pipelines,
    stopwatch: Stopwatch,
    options: ProbeOptions = {},
  ): Promise<Probes> {
    const { bytes = streamBytes(device), atLeast = 20, repeats = 4 } = options
    const probes = new Probes(async () => ({
      read: await probeRead(device, pipelines, stopwatch, { bytes, repeats }),
      fma: await probeFma(device, pipelines, stopwatch, { atLeast, repeats }),
    }))
    await probes.refresh()
    return probes
  }

  /** Measures again; keeps the better figures. */
  async refresh(): Promise<void> {
    const { read, fma } = await this.#measure()
    this.read = Math.max(this.read, read)
    this.fma = Math.max(this.fma, fma)
  }

  /** Milliseconds that moving `bytes` and doing `flops` takes at least: the roofline. */
  floor(bytes: number, flops: number): number {
    return Math.max(bytes / this.read, flops / this.fma) / 1e6
  }
}

/** Bytes that no cache of the adapter holds. */
export const streamBytes = (device: Device): number => (device.caps.software ? 128 : 512) * 2 ** 20
