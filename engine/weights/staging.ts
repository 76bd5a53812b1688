/**
 * The way of packed weights to the GPU: they are packed straight into mapped buffers and copied from there by the GPU's
 * queue, while the host packs into the next. A buffer whose copies are under way is waited for: memory stays bounded.
 */
import { type Copy, type Device, GpuError, replay } from '../../kernels/index.ts'

/** Where some of the staged bytes go; targets follow one another in the stage. */
export interface Target {
  readonly buffer: GPUBuffer
  readonly offset: number
  /** A multiple of 4. */
  readonly bytes: number
}

interface Stage {
  readonly buffer: GPUBuffer
  readonly copies: Copy[]
  range: ArrayBuffer
  used: number
}

const STAGE_BYTES = 4 * 2 ** 20
const STAGES = 3

export class Staging {
  readonly #device: Device
  #current: Stage | null = null
  /** Under way, oldest first, with the map that ends when their copies are done. */
  readonly #sent: { buffer: GPUBuffer; mapped: Promise<void> }[] = []

  constructor(device: Device) {
    this.#device = device
  }

  /** Calls `pack` with room for all of `targets`, whose former contents are anything. One at a time. Throws GpuError. */
  async write(targets: readonly Target[], pack: (words: Uint32Array) => void): Promise<void> {
    const bytes = targets.reduce((sum, target) => sum + target.bytes, 0)
    if (this.#current && this.#current.used + bytes > this.#current.range.byteLength) this.#send()
    this.#current ??= await this.#next(bytes)
    const stage = this.#current
    pack(new Uint32Array(stage.range, stage.used, bytes / 4))
    for (const { buffer, offset, bytes } of targets) {
      const [from, fromOffset] = [stage.buffer, stage.used]
      stage.copies.push({ from, fromOffset, to: buffer, toOffset: offset, bytes })
      stage.used += bytes
    }
  }

  /** Sends what is left, waits until all has arrived, and lets the buffers go. Throws GpuError. */
  async finish(): Promise<void> {
    if (this.#current) this.#send()
    await this.#device.gpu.queue.onSubmittedWorkDone()
    this.#device.check()
    this.free()
  }

  free(): void {
    for (const { buffer } of this.#sent.splice(0)) this.#device.memory.free(buffer)
    if (this.#current) this.#device.memory.free(this.#current.buffer)
    this.#current = null
  }

  #send(): void {
    const { buffer, copies } = this.#current as Stage
    this.#current = null
    buffer.unmap()
    replay(this.#device, [], copies)
    this.#sent.push({ buffer, mapped: mapping(buffer) })
  }

  async #next(bytes: number): Promise<Stage> {
    const { memory } = this.#device
    let [sent] = this.#sent
    if (this.#sent.length < STAGES || !sent) {
      const buffer = await memory.staging('weights on their way', Math.max(STAGE_BYTES, bytes))
      sent = { buffer, mapped: mapping(buffer) }
    } else {
      this.#sent.shift()
    }
    try {
      await sent.mapped
    } catch (error) {
      // A failed device says more than the map that failed with it.
      this.#device.check()
      const message = error instanceof Error ? error.message : String(error)
      throw new GpuError('lost', `Weights could not be staged: ${message}`, { cause: error })
    }
    if (sent.buffer.size >= bytes) {
      return { buffer: sent.buffer, copies: [], range: sent.buffer.getMappedRange(), used: 0 }
    }
    memory.free(sent.buffer)
    return this.#next(bytes)
  }
}

function mapping(buffer: GPUBuffer): Promise<void> {
  const mapped = buffer.mapAsync(GPUMapMode.WRITE)
  // Nobody waits for the last ones; whoever does hears of the error.
  mapped.catch(() => undefined)
  return mapped
}
