/**
 * Buffers with a label and a purpose; how many bytes each purpose holds is always known. Dawn would zero each at its first use,
 * on one thread of a CPU adapter and while nothing compiles; it is told not to (dawn.ts), and here buffers are zeroed that
 * somebody may read before writing.
 */
import { GpuError } from '../errors.ts'
import type { Device } from './device.ts'

export type Purpose =
  | 'weights'
  | 'kv-cache'
  | 'activations'
  | 'batch'
  | 'staging'
  | 'sampling'
  | 'readback'
  | 'test'

export class Memory {
  readonly #device: Device
  readonly #live = new Map<GPUBuffer, { purpose: Purpose; bytes: number }>()

  constructor(device: Device) {
    this.#device = device
  }

  /**
   * A buffer of at least `bytes` (rounded up to 16). Throws GpuError when it cannot be had.
   * @param holds zeros, where copies may go into it; or anything, to be written before it is read
   */
  async create(
    label: string,
    purpose: Purpose,
    bytes: number,
    usage: number,
    holds: 'zeros' | 'anything' = 'zeros',
  ): Promise<GPUBuffer> {
    const size = Math.max(16, Math.ceil(bytes / 16) * 16)
    const { maxBinding } = this.#device.caps
    if ((usage & GPUBufferUsage.STORAGE) !== 0 && size > maxBinding) {
      throw new GpuError(
        'limit',
        `${label} needs ${size} bytes; the adapter binds at most ${maxBinding}.`,
      )
    }
    const buffer = await this.#device.scoped(label, () =>
      this.#device.gpu.createBuffer({ label, size, usage }),
    )
    this.#device.counters.buffers++
    this.#live.set(buffer, { purpose, bytes: size })
    if (holds === 'zeros' && (usage & GPUBufferUsage.COPY_DST) !== 0) this.#clear(buffer)
    return buffer
  }

  /** A storage buffer that the host can write and read back. */
  storage(
    label: string,
    purpose: Purpose,
    bytes: number,
    holds: 'zeros' | 'anything' = 'zeros',
  ): Promise<GPUBuffer> {
    const { STORAGE, COPY_DST, COPY_SRC } = GPUBufferUsage
    return this.create(label, purpose, bytes, STORAGE | COPY_DST | COPY_SRC, holds)
  }

  /** A buffer that the host maps to write, to be copied from. */
  staging(label: string, bytes: number): Promise<GPUBuffer> {
    return this.create(label, 'staging', bytes, GPUBufferUsage.MAP_WRITE | GPUBufferUsage.COPY_SRC)
  }

  /** A buffer that the host maps to read. */
  readback(label: string, bytes: number): Promise<GPUBuffer> {
    return this.create(label, 'readback', bytes, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST)
  }

  write(buffer: GPUBuffer, offset: number, data: Float32Array | Uint32Array | Uint8Array): void {
    this.#device.counters.writes++
    this.#device.gpu.queue.writeBuffer(
      buffer,
      offset,
      data.buffer as ArrayBuffer,
      data.byteOffset,
      data.byteLength,
    )
  }

  #clear(buffer: GPUBuffer): void {
    const { gpu } = this.#device
    const encoder = gpu.createCommandEncoder()
    encoder.clearBuffer(buffer)
    gpu.queue.submit([encoder.finish()])
  }

  free(buffer: GPUBuffer): void {
    if (!this.#live.delete(buffer)) return
    if (buffer.mapState === 'mapped') buffer.unmap()
    buffer.destroy()
  }

  /** Frees every buffer that does not serve `kept`. */
  freeAllBut(kept: Purpose): void {
    for (const [buffer, { purpose }] of [...this.#live]) if (purpose !== kept) this.free(buffer)
  }

  freeAll(): void {
    for (const buffer of [...this.#live.keys()]) this.free(buffer)
  }

  /** Bytes of live buffers, in all and by purpose. */
  get usage(): { total: number; byPurpose: Record<string, number> } {
    const byPurpose: Record<string, number> = {}
    let total = 0
    for (const { purpose, bytes } of this.#live.values()) {
      byPurpose[purpose] = (byPurpose[purpose] ?? 0) + bytes
      total += bytes
    }
    return { total, byPurpose }
  }
}
