/**
 * A second device of the same adapter, which runs pipelines once over buffers of its own. Where a driver compiles when a
 * pipeline first runs, on one thread a device, and keeps on disk what it compiled, the first device finds it there.
 */
import { Device } from './device.ts'
import { Pipelines } from './pipeline.ts'
import { replay } from './plan.ts'
import type { ShaderSource } from './shader.ts'

/** Of each buffer bound; what is read beyond it is not there, and nobody looks at the results. */
const BYTES = 2 ** 16

export class SecondDevice {
  readonly device: Device
  /** Takes a few bytes when what was submitted is done: to be mapped by who waits. */
  readonly mark: GPUBuffer
  readonly #from: GPUBuffer
  readonly #pipelines: Pipelines

  private constructor(device: Device, mark: GPUBuffer, from: GPUBuffer) {
    this.device = device
    this.mark = mark
    this.#from = from
    this.#pipelines = new Pipelines(device)
  }

  /** Whether it helps: lavapipe alone compiles so. */
  static helps({ driver }: Device): boolean {
    return driver === 'lavapipe'
  }

  /** Throws GpuError. */
  static async open(first: Device): Promise<SecondDevice> {
    const device = await Device.openBeside(first)
    try {
      const mark = await device.memory.readback('mark', 16)
      return new SecondDevice(device, mark, await device.memory.storage('mark', 'test', 16))
    } catch (error) {
      device.close()
      throw error
    }
  }

  /** Compiles a source and queues one workgroup of it. Throws GpuError. */
  async submit(source: ShaderSource): Promise<void> {
    const pipeline = await this.#pipelines.get(source)
    const { memory } = this.device
    const buffers: Record<string, GPUBuffer> = {}
    for (const { name } of source.bindings) {
      buffers[name] = await memory.storage(`any ${name}`, 'test', BYTES)
    }
    const bindGroup = await this.#pipelines.bind(source, buffers)
    const once = { label: source.name, pipeline, bindGroup, workgroups: () => [1, 1, 1] as const }
    const [from, to] = [this.#from, this.mark]
    replay(
      this.device,
      [{ dispatches: [once], rows: 1 }],
      [{ from, fromOffset: 0, to, toOffset: 0, bytes: 16 }],
    )
    for (const buffer of Object.values(buffers)) memory.free(buffer)
  }

  close(): void {
    this.device.close()
  }
}
